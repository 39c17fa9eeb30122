// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/encode_chat.hpp>

#include <graft/core/error.hpp>
#include <graft/text/utf8.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace graft {

GRAFT_INLINE EncodedChat encode_segments(Tokenizer const& tokenizer, std::span<Segment const> segments) {
  std::string text;
  std::vector<Index> ends;
  std::vector<ByteRange> literal;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    Segment const& segment = segments[i];
    require(!find_invalid_utf8(segment.text), "chat", "text must be UTF-8: a part of message ", segment.message,
            " is not, from its byte ", find_invalid_utf8(segment.text).value_or(0), " on");
    auto const begin = static_cast<Index>(text.size());
    text += segment.text;
    ends.push_back(static_cast<Index>(text.size()));
    if (!segment.special) literal.push_back({begin, ends.back()});
  }
  Encoding encoding = tokenizer.encode_with_offsets(text, {.literal = literal});
  EncodedChat out{std::move(encoding.ids), {}, {}};
  for (Index const begin : encoding.begins) {
    auto const segment_index = static_cast<std::size_t>(std::ranges::upper_bound(ends, begin) - ends.begin());
    Segment const& segment = segments[std::min(segment_index, ends.size() - 1)];
    out.supervised.push_back(segment.supervised ? 1 : 0);
    out.messages.push_back(segment.message);
  }
  return out;
}

GRAFT_INLINE void check_chat_tokens(Tokenizer const& tokenizer, ChatFormat const& format) {
  std::string const& end = format.end_of_turn();
  require(end.empty() || tokenizer.token_id(end).has_value(), "chat", "format ", format.name(), " ends a turn with ",
          end, ", which must be a token of the tokenizer: it is none");
}

GRAFT_INLINE EncodedChat encode_chat(Tokenizer const& tokenizer, ChatFormat const& format,
                                     std::span<Message const> messages, RenderOptions const& options) {
  check_chat_tokens(tokenizer, format);
  std::vector<Segment> const segments = format.render(messages, options);
  return encode_segments(tokenizer, segments);
}

}  // namespace graft
