// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace graft {

namespace detail {

/// One code point, or the longest stretch of bytes that could have begun one (the Unicode standard's "maximal subpart").
struct Utf8Step {
  char32_t value = 0xFFFD;
  Index length = 1;
  bool valid = false;
  bool cut_off = false;  ///< not valid, but the text ended before it could be
};

[[nodiscard]] inline unsigned char byte_at(std::string_view text, Index at) {
  return static_cast<unsigned char>(text[static_cast<std::size_t>(at)]);
}

[[nodiscard]] inline std::string_view slice(std::string_view text, Index begin, Index end) {
  return text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

[[nodiscard]] inline Utf8Step utf8_step(std::string_view text, Index at) {
  unsigned const lead = byte_at(text, at);
  if (lead < 0x80) return {lead, 1, true, false};
  if (lead < 0xC2 || lead > 0xF4) return {};
  Index const length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // Only the second byte has bounds of its own: they shut out overlong forms, surrogates and values past U+10FFFF.
  unsigned low = lead == 0xE0 ? 0xA0u : lead == 0xF0 ? 0x90u : 0x80u;
  unsigned high = lead == 0xED ? 0x9Fu : lead == 0xF4 ? 0x8Fu : 0xBFu;
  char32_t value = lead & (0xFFu >> (length + 1));
  for (Index i = 1; i < length; ++i) {
    if (at + i >= static_cast<Index>(text.size())) return {0xFFFD, i, false, true};
    unsigned const byte = byte_at(text, at + i);
    if (byte < low || byte > high) return {0xFFFD, i, false, false};
    value = value << 6 | (byte & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  return {value, length, true, false};
}

inline void append_utf8(std::string& out, char32_t c) {
  auto const put = [&out](char32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (c < 0x80) {
    put(c);
    return;
  }
  if (c < 0x800) {
    put(0xC0 | c >> 6);
  } else {
    if (c < 0x10000) {
      put(0xE0 | c >> 12);
    } else {
      put(0xF0 | c >> 18);
      put(0x80 | (c >> 12 & 0x3F));
    }
    put(0x80 | (c >> 6 & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

/// Where the code point that ends before `end` begins; `text` must be valid.
[[nodiscard]] inline Index previous_code_point(std::string_view text, Index end) {
  do --end;
  while (end > 0 && (byte_at(text, end) & 0xC0u) == 0x80u);
  return end;
}

}  // namespace detail

/// Byte offset of the first byte that is not well-formed UTF-8 (Unicode 16, table 3-7), if there is one.
[[nodiscard]] inline std::optional<Index> find_invalid_utf8(std::string_view text) {
  auto const size = static_cast<Index>(text.size());
  for (Index at = 0; at < size;) {
    detail::Utf8Step const step = detail::utf8_step(text, at);
    if (!step.valid) return at;
    at += step.length;
  }
  return std::nullopt;
}

/// `text` with U+FFFD for every maximal stretch of bytes that is not UTF-8, as Python's `errors="replace"` does.
[[nodiscard]] inline std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  auto const size = static_cast<Index>(text.size());
  for (Index at = 0; at < size;) {
    detail::Utf8Step const step = detail::utf8_step(text, at);
    if (step.valid)
      out.append(detail::slice(text, at, at + step.length));
    else
      out.append("\xEF\xBF\xBD");
    at += step.length;
  }
  return out;
}

}  // namespace graft
