// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"

#include <graft/text/chat_format.hpp>
#include <graft/train/ai_feedback.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cli {

/// How feedback is asked for.
struct FeedbackFlags {
  std::string constitution;
  graft::Index rounds = 1;
  bool keep_better = false;
  bool chain_of_thought = false;
  std::string judge = "model";  ///< or the name of a verifiable reward
  double judge_scale = 1;
  double temperature = 1;
  graft::Index max_new_tokens = 128, feedback_tokens = 128;
  graft::Index chunk = 8;  ///< prompts between two writes of a record file
  std::uint64_t seed = 42;
};

/// Conversations to answer, with their tokens.
struct Conversations {
  std::vector<std::vector<graft::Message>> messages;
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<std::int32_t> stop_ids;
  graft::ChatFormat format;
};

/// The prompts of a JSONL file that are not longer than `longest` tokens. Error: one that is plain text.
[[nodiscard]] Conversations read_conversations(std::string const& path, Session const& session, ModelFlags const& flags, graft::Index longest);

/// Answers of the base, revised in rounds by the constitution: a file of `RevisionRecord`s, a chunk at a time.
void make_revisions(std::filesystem::path const& path, FeedbackFlags const& flags, Session& session, Conversations const& prompts);

/// Two answers of the session's model to each prompt, and which of them the judge prefers: a file of `PreferenceLabel`s.
void make_preferences(std::filesystem::path const& path, FeedbackFlags const& flags, Session& session, Conversations const& prompts);

/// P(answer is better than the other), as the judge sees it, of each prompt.
[[nodiscard]] std::vector<double> judge_answers(FeedbackFlags const& flags, Session& session, Conversations const& prompts,
                                                std::vector<std::string> const& answers, std::vector<std::string> const& others);

}  // namespace cli
