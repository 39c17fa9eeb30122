// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/dataset.hpp>
#include <graft/data/packing.hpp>
#include <graft/data/record.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/tokenizer.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace graft {

/// Which turns of a `messages` record are learnt.
enum class AssistantTurns { all, last };

/// What of a record is learnt. A completion begins, as in TRL 1.16, where the tokens of the prompt and those of the
/// whole part. If text of both is one token ("\n" and "\n…"), that token is learnt, and the report names the line.
struct Supervision {
  AssistantTurns assistant_turns = AssistantTurns::all;
  bool assistant_only = true;    ///< of `messages`; else all tokens, what others say too (TRL: assistant_only_loss)
  bool completion_only = true;   ///< of prompt and completion; else the prompt too (TRL: completion_only_loss)
  bool strict_boundary = false;  ///< a token that joins prompt and completion is an error
  /// As transformers does, content that spells a special token becomes that token. Else it stays text.
  bool parse_special_in_content = true;
};

namespace detail {

/// BOS where the tokenizer adds it, the text, and EOS exactly once.
[[nodiscard]] std::vector<std::int32_t> encode_to_end(Tokenizer const& tokenizer, std::string const& text);

}  // namespace detail

/// Whether a record needs a chat format to be rendered.
[[nodiscard]] inline bool is_conversation(Record const& record) {
  return std::holds_alternative<MessagesRecord>(record) || std::holds_alternative<ChatPromptCompletionRecord>(record);
}

/// Turns a record into tokens and says which are learnt:
///   text                             all of it, and EOS;
///   prompt and completion, strings   the completion, and EOS;
///   messages                         what the format renders after the generation prompt of each (or the last)
///                                    assistant turn: content, end of turn and what follows up to the next turn;
///   prompt and completion, messages  all that follows the prompt with its generation prompt.
/// Plain text begins with BOS where the tokenizer adds it, ends with EOS once, and special tokens spelled in it are
/// parsed. `format` may be null if no conversation comes.
/// Error: the format refuses the conversation; a conversation without a format; a token that joins prompt and
/// completion, if `strict_boundary`.
[[nodiscard]] SupervisedTokens tokenize_record(Record const& record, Tokenizer const& tokenizer,
                                               ChatFormat const* format, Supervision const& supervision = {});

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/tokenize_record.tpp>
#endif
