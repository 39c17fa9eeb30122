// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace graft {

/// `text` on one line: at most `limit` bytes of it, control characters and bytes of broken UTF-8 as \xNN. For names and
/// values that come out of files and go into messages.
[[nodiscard]] inline std::string printable(std::string_view text, std::size_t limit = 100) {
  constexpr char digits[] = "0123456789abcdef";
  auto const continuation = [&](std::size_t i) { return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0u) == 0x80u; };
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (out.size() >= limit) return out + "…";
    auto const byte = static_cast<unsigned char>(text[i]);
    std::size_t length = byte < 0x80 ? 1 : byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
    for (std::size_t k = 1; k < length; ++k)
      if (!continuation(i + k)) length = 0;
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15u]};
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out;
}

}  // namespace graft
