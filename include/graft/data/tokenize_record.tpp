// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/tokenize_record.hpp>

#include <graft/core/error.hpp>
#include <graft/data/example.hpp>
#include <graft/text/encode_chat.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace graft {

namespace detail {

/// `whole`, learnt from where it and `prompt` part.
GRAFT_INLINE SupervisedTokens learn_completion(std::span<std::int32_t const> prompt, std::vector<std::int32_t> whole,
                                               Supervision const& supervision) {
  SupervisedTokens out;
  Index const begin = common_prefix(prompt, whole);
  out.merged_at_boundary = begin < std::ssize(prompt);
  require(!out.merged_at_boundary || !supervision.strict_boundary, "data", "the prompt's ", prompt.size(),
          " tokens are not the first of prompt and completion together: they part at token ", begin,
          " (a token joins the prompt's end and the completion)");
  append_span(out.supervised, begin, std::ssize(whole));
  out.ids = std::move(whole);
  return out;
}

GRAFT_INLINE std::vector<std::int32_t> encode_to_end(Tokenizer const& tokenizer, std::string const& text) {
  auto const eos = tokenizer.eos();
  require(eos.has_value(), "data", "plain text is learnt up to the tokenizer's eos token: it has none");
  auto ids = tokenizer.encode(text, {.add_special = true});
  if (ids.empty() || ids.back() != *eos) ids.push_back(*eos);
  return ids;
}

GRAFT_INLINE std::string joined_text(std::span<Segment const> segments) {
  std::string text;
  for (Segment const& segment : segments) text += segment.text;
  return text;
}

GRAFT_INLINE SupervisedTokens tokenize(TextRecord const& record, Tokenizer const& tokenizer, ChatFormat const*,
                                       Supervision const&) {
  SupervisedTokens out;
  out.ids = encode_to_end(tokenizer, record.text);
  append_span(out.supervised, 0, std::ssize(out.ids));
  return out;
}

GRAFT_INLINE SupervisedTokens tokenize(PromptCompletionRecord const& record, Tokenizer const& tokenizer,
                                       ChatFormat const*, Supervision const& supervision) {
  auto prompt = tokenizer.encode(record.prompt, {.add_special = true});
  if (tokenizer.spec().add_eos) prompt.pop_back();
  return learn_completion(prompt, encode_to_end(tokenizer, record.prompt + record.completion), supervision);
}

/// A rendered conversation, of which a token is learnt if any of its bytes is supervised: one that joins the generation
/// prompt's end with the answer is, as in TRL. `last_turn`: the only message that is learnt, or -1 for all.
GRAFT_INLINE SupervisedTokens learn_segments(Tokenizer const& tokenizer, std::span<Segment const> segments,
                                             int last_turn) {
  std::string text;
  std::vector<ByteRange> literal;
  std::vector<TokenSpan> learnt;  // of bytes
  for (Segment const& segment : segments) {
    auto const begin = static_cast<Index>(text.size());
    text += segment.text;
    auto const end = static_cast<Index>(text.size());
    if (!segment.special) literal.push_back({begin, end});
    if (segment.supervised && (last_turn < 0 || segment.message == last_turn)) append_span(learnt, begin, end);
  }
  Encoding encoding = tokenizer.encode_with_offsets(text, {.literal = literal});
  SupervisedTokens out;
  auto span = learnt.begin();
  for (std::size_t t = 0; t < encoding.ids.size() && span != learnt.end(); ++t) {
    Index const begin = encoding.begins[t];
    Index const next = t + 1 < encoding.ids.size() ? encoding.begins[t + 1] : static_cast<Index>(text.size());
    while (span != learnt.end() && span->end <= begin) ++span;
    if (span == learnt.end() || span->begin >= std::max(next, begin + 1)) continue;
    append_span(out.supervised, static_cast<Index>(t), static_cast<Index>(t) + 1);
    out.merged_at_boundary = out.merged_at_boundary || begin < span->begin;
  }
  out.ids = std::move(encoding.ids);
  return out;
}

GRAFT_INLINE SupervisedTokens tokenize(MessagesRecord const& record, Tokenizer const& tokenizer,
                                       ChatFormat const* format, Supervision const& supervision) {
  check_chat_tokens(tokenizer, *format);
  int last_turn = -1;
  if (supervision.assistant_turns == AssistantTurns::last)
    for (std::size_t i = 0; i < record.messages.size(); ++i)
      if (record.messages[i].role == "assistant") last_turn = static_cast<int>(i);
  auto const segments =
      format->render(record.messages, {.parse_special_in_content = supervision.parse_special_in_content, .tools = record.tools});
  SupervisedTokens out = learn_segments(tokenizer, segments, last_turn);
  require(!out.merged_at_boundary || !supervision.strict_boundary, "data",
          "a token joins the generation prompt's end and what the assistant says");
  return out;
}

GRAFT_INLINE SupervisedTokens tokenize(ChatPromptCompletionRecord const& record, Tokenizer const& tokenizer,
                                       ChatFormat const* format, Supervision const& supervision) {
  check_chat_tokens(tokenizer, *format);
  std::vector<Message> all = record.prompt;
  all.insert(all.end(), record.completion.begin(), record.completion.end());
  bool const parse = supervision.parse_special_in_content;
  auto const prompt = format->render(record.prompt, {.add_generation_prompt = true, .parse_special_in_content = parse, .tools = record.tools});
  auto const whole = format->render(all, {.parse_special_in_content = parse, .tools = record.tools});
  require(
      joined_text(whole).starts_with(joined_text(prompt)), "data", "format ", format->name(),
      " renders the prompt in another way where the completion follows: it cannot be told where the completion begins");
  SupervisedTokens out =
      learn_completion(encode_segments(tokenizer, prompt).ids, encode_segments(tokenizer, whole).ids, supervision);
  out.learns_other_roles =
      std::ranges::any_of(record.completion, [](Message const& m) { return m.role != "assistant"; });
  return out;
}

}  // namespace detail

GRAFT_INLINE SupervisedTokens tokenize_record(Record const& record, Tokenizer const& tokenizer,
                                              ChatFormat const* format, Supervision const& supervision) {
  require(format != nullptr || !is_conversation(record), "data", "is a conversation: a chat format must be given");
  auto const tokenize = [&](auto const& shape) { return detail::tokenize(shape, tokenizer, format, supervision); };
  SupervisedTokens tokens = std::visit(tokenize, record);
  bool const whole = std::holds_alternative<MessagesRecord>(record) ? !supervision.assistant_only : !supervision.completion_only;
  if (whole) tokens.supervised = {{0, std::ssize(tokens.ids)}};
  return tokens;
}

}  // namespace graft
