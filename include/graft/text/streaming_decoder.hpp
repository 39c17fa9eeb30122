// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/tokenizer.hpp>
#include <graft/text/utf8.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace graft {

/// Decodes token by token for printing while a model speaks. What `push` returns is always valid UTF-8: the bytes of a
/// character that is not complete are held back, and bytes that can never become one turn into U+FFFD.
/// All pieces and `finish` together are `decode` with `InvalidUtf8::replace`, up to how many U+FFFD stand for a broken
/// run of `<0xNN>` tokens.
class StreamingDecoder {
 public:
  explicit StreamingDecoder(Tokenizer tokenizer, bool skip_special = false)
      : tokenizer_(std::move(tokenizer)),
        skip_special_(skip_special),
        strip_blank_(tokenizer_.spec().blank_prefix != BlankPrefix::never) {}

  [[nodiscard]] std::string push(std::int32_t id) {
    if (skip_special_ && tokenizer_.is_special(id)) return {};
    held_ += tokenizer_.token_bytes(id);
    if (strip_blank_ && !held_.empty()) {
      if (held_.front() == ' ') held_.erase(0, 1);
      strip_blank_ = false;
    }
    auto const size = static_cast<Index>(held_.size());
    Index complete = 0;
    while (complete < size) {
      detail::Utf8Step const step = detail::utf8_step(held_, complete);
      if (step.cut_off) break;
      complete += step.length;
    }
    std::string const out = replace_invalid_utf8(detail::slice(held_, 0, complete));
    held_.erase(0, static_cast<std::size_t>(complete));
    return out;
  }

  /// What is left at the end: U+FFFD if a character was cut off, else nothing. The decoder is as new afterwards.
  [[nodiscard]] std::string finish() {
    std::string const out = replace_invalid_utf8(held_);
    held_.clear();
    strip_blank_ = tokenizer_.spec().blank_prefix != BlankPrefix::never;
    return out;
  }

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  bool strip_blank_;
  std::string held_;
};

}  // namespace graft
