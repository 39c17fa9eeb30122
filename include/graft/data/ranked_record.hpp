// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/data/record.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace graft {

/// Answers to one prompt and which of them people prefer, from best to worst. Each answer is whole: the prompt and what
/// follows it, as text or as a conversation.
struct RankedRecord {
  std::variant<std::vector<std::string>, std::vector<std::vector<Message>>> answers;
  std::vector<std::int32_t> ranks;  ///< one an answer, from 0, not falling; equal: nobody knows which is better
  double margin = 0;                ///< by how much a better answer should lead
  std::string source = {};          ///< what the record says of where it comes from; may be empty

  [[nodiscard]] bool is_conversation() const { return answers.index() == 1; }
};

/// Reads one JSON line in one of the shapes of TRL's RewardTrainer, strings or lists of messages throughout,
///   {"prompt": …, "chosen": …, "rejected": …}
///   {"chosen": …, "rejected": …}                         the prompt stands in both
/// with "margin" if there is one, or as a ranking,
///   {"prompt": …, "completions": [best, …, worst]}
///   {"prompt": …, "completions": […], "ranks": [2, 1, 1]}    1 before 2; equal numbers: equal ranks
///   {"prompt": …, "completions": […], "scores": [0.1, 7, 3]} the highest is the best
/// A key "source" may say where the record comes from. Other keys are added to `ignored_keys`.
/// Error: as `parse_record`; fewer than two answers; numbers that are not one for each answer.
[[nodiscard]] RankedRecord parse_ranked_record(std::string_view line, std::set<std::string>& ignored_keys);

/// What is to be scored: a prompt with its "completion", or whole, as "text" or "messages".
using ScoredText = std::variant<std::string, std::vector<Message>>;

/// Reads one JSON line as something to score. Errors: as `parse_record`.
[[nodiscard]] ScoredText parse_scored_text(std::string_view line, std::set<std::string>& ignored_keys);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/ranked_record.tpp>
#endif
