// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/utf8.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace graft::detail {

/// GPT-2's alphabet: a printable code point for each of the 256 bytes (Radford et al. 2019, `bytes_to_unicode`).
/// Printable Latin-1 stands for itself; the other 68 bytes, in order, are U+0100, U+0101, …
class ByteAlphabet {
 public:
  ByteAlphabet() {
    bytes_.fill(-1);
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
      bool const printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
      char32_t const symbol = printable ? byte : next++;
      append_utf8(symbols_[byte], symbol);
      bytes_[symbol] = static_cast<int>(byte);
    }
  }

  [[nodiscard]] std::string const& symbol(unsigned char byte) const { return symbols_[byte]; }

  /// The text that spells `bytes`.
  [[nodiscard]] std::string spell(std::string_view bytes) const {
    std::string out;
    for (char const c : bytes) out += symbol(static_cast<unsigned char>(c));
    return out;
  }

  /// The bytes that `token` spells; nothing if a character of it is not in the alphabet.
  [[nodiscard]] std::optional<std::string> bytes(std::string_view token) const {
    std::string out;
    for (Index at = 0; at < static_cast<Index>(token.size());) {
      Utf8Step const step = utf8_step(token, at);
      if (!step.valid || step.value >= bytes_.size() || bytes_[step.value] < 0) return std::nullopt;
      out.push_back(static_cast<char>(static_cast<unsigned char>(bytes_[step.value])));
      at += step.length;
    }
    return out;
  }

 private:
  std::array<std::string, 256> symbols_;
  std::array<int, 0x144> bytes_{};
};

[[nodiscard]] inline ByteAlphabet const& byte_alphabet() {
  static ByteAlphabet const alphabet;
  return alphabet;
}

}  // namespace graft::detail
