// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/class_tables.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace graft::detail {

/// Bits of `unicode_class`.
namespace char_class {
inline constexpr std::uint8_t letter = 1;      ///< \p{L}
inline constexpr std::uint8_t number = 2;      ///< \p{N}
inline constexpr std::uint8_t space = 4;       ///< \s
inline constexpr std::uint8_t digit_step = 8;  ///< what the `Digits` step isolates
inline constexpr std::uint8_t word = 16;       ///< \w
}  // namespace char_class

/// Two-stage table: 4352 pages of 256 code points, of which the empty ones share page 0.
class ClassTable {
 public:
  ClassTable() : pages_(1) {
    using namespace char_class;
    mark(letter_ranges, letter);
    mark(number_ranges, number | digit_step);
    mark(space_ranges, space);
    mark(digit_step_ranges, digit_step);
    mark(word_ranges, word);
  }

  [[nodiscard]] std::uint8_t operator()(char32_t c) const { return pages_[page_of_[c >> 8]][c & 0xFF]; }

 private:
  template <std::size_t N>
  void mark(std::uint32_t const (&ranges)[N], std::uint8_t bits) {
    for (std::size_t i = 0; i < N; i += 2)
      for (std::uint32_t c = ranges[i]; c < ranges[i + 1]; ++c) {
        std::uint16_t& page = page_of_[c >> 8];
        if (page == 0) {
          page = static_cast<std::uint16_t>(pages_.size());
          pages_.emplace_back();
        }
        std::uint8_t& entry = pages_[page][c & 0xFF];
        entry = static_cast<std::uint8_t>(entry | bits);
      }
  }

  std::array<std::uint16_t, 0x1100> page_of_{};
  std::vector<std::array<std::uint8_t, 256>> pages_;
};

/// The classes of a code point (at most U+10FFFF), as Hugging Face's tokenizers sees them.
[[nodiscard]] inline std::uint8_t unicode_class(char32_t c) {
  static ClassTable const table;
  return table(c);
}

}  // namespace graft::detail
