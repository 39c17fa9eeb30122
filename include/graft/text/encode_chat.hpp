// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/tokenizer.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// A rendered conversation as tokens.
struct EncodedChat {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> supervised;  ///< one a token: 1 if the assistant is to learn it
  std::vector<std::int32_t> messages;    ///< one a token: index of its message, -1 if it belongs to none
};

/// Tokens of rendered segments. The text is encoded in one go, as Hugging Face does, so a token may reach over an edge;
/// it belongs to the segment in which it begins. (TRL takes the tokens after those of the prompt: the same wherever a
/// special token or a line end stands at the edge, as in all known formats.)
[[nodiscard]] EncodedChat encode_segments(Tokenizer const& tokenizer, std::span<Segment const> segments);

/// Throws Error if `tokenizer` does not know the token that ends a turn in `format`: they do not belong together, and a
/// model trained so would never stop.
void check_chat_tokens(Tokenizer const& tokenizer, ChatFormat const& format);

/// Renders and encodes a conversation: ids as `apply_chat_template(messages, tokenize=True)` gives them.
[[nodiscard]] EncodedChat encode_chat(Tokenizer const& tokenizer, ChatFormat const& format,
                                      std::span<Message const> messages, RenderOptions const& options = {});

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/text/encode_chat.tpp>
#endif
