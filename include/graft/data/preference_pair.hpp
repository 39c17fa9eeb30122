// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/example.hpp>
#include <graft/data/packing.hpp>
#include <graft/data/preference_record.hpp>
#include <graft/data/tokenize_record.hpp>
#include <graft/loss/preference/preference_batch.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/encode_chat.hpp>
#include <graft/text/tokenizer.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace graft {

/// Two tokenised answers with their prompts in front; what is learnt of each is its completion.
struct PreferencePair {
  Example chosen, rejected;
  Index line = 0;    ///< where it stands in the file, from 1
  Index shared = 0;  ///< tokens that both begin with and that a batch has once; at most `shareable(chosen, rejected)`

  /// As it lies in a batch.
  [[nodiscard]] Index tokens() const { return chosen.tokens() + rejected.tokens() - shared; }
};

/// Tokens that two examples begin with and that can be computed once: the second one's first prediction needs a row of its own.
[[nodiscard]] inline Index shareable(Example const& first, Example const& second) {
  Index const own = second.supervised.empty() ? second.tokens() : std::max<Index>(second.supervised.front().begin, 1);
  return std::clamp<Index>(detail::common_prefix(first.ids, second.ids), 0, std::min(own, second.tokens()) - 1);
}

/// A pair before truncation; and what the report should mention of it.
struct PairTokens {
  std::vector<std::int32_t> chosen, rejected;  ///< prompt and completion
  Index prompt_tokens = 0;                     ///< what both begin with and is not learnt
  bool merged_at_boundary = false;             ///< a token reaches across the prompt's end
};

namespace detail {

/// The completions begin where the tokens of the prompt and those of either whole part, the sooner of the two: TRL 1.16.
[[nodiscard]] inline PairTokens part_from_prompt(std::span<std::int32_t const> prompt, std::vector<std::int32_t> chosen,
                                                 std::vector<std::int32_t> rejected) {
  Index const length = std::min(common_prefix(prompt, chosen), common_prefix(prompt, rejected));
  return {std::move(chosen), std::move(rejected), length, length < std::ssize(prompt)};
}

[[nodiscard]] inline PairTokens tokenize_pair(PreferenceText const& record, Tokenizer const& tokenizer,
                                              ChatFormat const*) {
  auto prompt = tokenizer.encode(record.prompt, {.add_special = true});
  if (tokenizer.spec().add_eos) prompt.pop_back();
  return part_from_prompt(prompt, encode_to_end(tokenizer, record.prompt + record.chosen),
                          encode_to_end(tokenizer, record.prompt + record.rejected));
}

[[nodiscard]] inline PairTokens tokenize_pair(PreferenceChat const& record, Tokenizer const& tokenizer,
                                              ChatFormat const* format) {
  check_chat_tokens(tokenizer, *format);
  auto const whole = [&](std::vector<Message> const& answer) {
    std::vector<Message> all = record.prompt;
    all.insert(all.end(), answer.begin(), answer.end());
    return encode_segments(tokenizer, format->render(all)).ids;
  };
  auto const prompt = encode_segments(tokenizer, format->render(record.prompt, {.add_generation_prompt = true})).ids;
  return part_from_prompt(prompt, whole(record.chosen), whole(record.rejected));
}

}  // namespace detail

/// Turns a record into the tokens of both answers, as TRL's DPOTrainer: a conversation by the chat format, of which all that
/// follows the prompt with its generation prompt is learnt; text with EOS once at the end.
/// Error: the format refuses the conversation; a conversation without a format.
[[nodiscard]] inline PairTokens tokenize_pair(PreferenceRecord const& record, Tokenizer const& tokenizer,
                                              ChatFormat const* format) {
  require(format != nullptr || std::holds_alternative<PreferenceText>(record), "data",
          "is a conversation: a chat format must be given");
  return std::visit([&](auto const& shape) { return detail::tokenize_pair(shape, tokenizer, format); }, record);
}

/// Puts an answer behind the sequences of a batch, with how it was judged; `shared` as for `append_example`.
inline void append_answer(PreferenceBatch& batch, Example const& answer, bool preferred, Index shared = 0) {
  append_example(batch, answer, shared);
  Index tokens = 0;
  for (TokenSpan const& span : answer.supervised) tokens += span.end - span.begin;
  close_sequence(batch, preferred, tokens);
}

/// Puts a pair behind the sequences of a batch: the chosen answer, then the rejected one. The counts of the step stay.
inline void append_example(PreferenceBatch& batch, PreferencePair const& pair) {
  append_answer(batch, pair.chosen, true);
  append_answer(batch, pair.rejected, false, pair.shared);
}

}  // namespace graft
