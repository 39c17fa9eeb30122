// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace graft {

struct BlockScales;

/// How the elements of a weight lie in memory. The `q…` formats are GGUF's blocks: a row is cut into blocks of
/// `block_elements`, each stored in `block_bytes` with its own scale. nf4, fp4 and int8 are those of bitsandbytes: the
/// elements lie one behind the other, and their scales elsewhere (`BlockScales`).
enum class Storage : std::uint8_t { f64, f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k, q2_k, q3_k, iq4_nl, iq4_xs, nf4, fp4, int8 };

namespace detail {

struct StorageTraits {
  std::string_view name;
  Index block_elements;
  Index block_bytes;
};

inline constexpr std::array<StorageTraits, 19> storage_traits{{
    {"f64", 1, 8},
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"bf16", 1, 2},
    {"q8_0", 32, 34},    // f16 d; i8 q[32]
    {"q4_0", 32, 18},    // f16 d; u8 q[16]
    {"q4_1", 32, 20},    // f16 d, m; u8 q[16]
    {"q5_0", 32, 22},    // f16 d; u32 fifth bits; u8 q[16]
    {"q5_1", 32, 24},    // f16 d, m; u32 fifth bits; u8 q[16]
    {"q4_k", 256, 144},  // f16 d, dmin; u8 scales[12]; u8 q[128]
    {"q5_k", 256, 176},  // f16 d, dmin; u8 scales[12]; u8 fifth bits[32]; u8 q[128]
    {"q6_k", 256, 210},  // u8 low[128]; u8 high[64]; i8 scales[16]; f16 d
    {"q2_k", 256, 84},   // u8 scales and minima[16]; u8 q[64]; f16 d, dmin
    {"q3_k", 256, 110},  // u8 third bits[32]; u8 q[64]; u8 scales[12]; f16 d
    {"iq4_nl", 32, 18},  // f16 d; u8 q[16]
    {"iq4_xs", 256, 136},  // f16 d; u16 upper bits of scales; u8 lower bits[4]; u8 q[128]
    {"nf4", 2, 1},       // two codes, the first in the high nibble
    {"fp4", 2, 1},
    {"int8", 1, 1},
}};

}  // namespace detail

/// Elements that share a block; 1 for the plain formats.
[[nodiscard]] constexpr Index block_elements(Storage storage) {
  return detail::storage_traits[static_cast<std::size_t>(storage)].block_elements;
}

/// Bytes of one block; for the plain formats the bytes of one element.
[[nodiscard]] constexpr Index block_bytes(Storage storage) {
  return detail::storage_traits[static_cast<std::size_t>(storage)].block_bytes;
}

/// The lower-case name, for example "q4_k".
[[nodiscard]] constexpr std::string_view name(Storage storage) {
  return detail::storage_traits[static_cast<std::size_t>(storage)].name;
}

/// True for the formats whose scales lie apart from the elements: a row alone does not say what it holds.
[[nodiscard]] constexpr bool has_scales(Storage storage) { return storage >= Storage::nf4; }

/// True for the formats whose elements are codes that a scale gives a meaning.
[[nodiscard]] constexpr bool is_quantized(Storage storage) { return block_elements(storage) > 1 || has_scales(storage); }

/// The format of that name. Error: there is none; the message lists them.
[[nodiscard]] inline Storage storage_named(std::string_view wanted) {
  std::string names;
  for (std::size_t i = 0; i < detail::storage_traits.size(); ++i) {
    if (detail::storage_traits[i].name == wanted) return static_cast<Storage>(i);
    names += (i ? ", " : "") + std::string(detail::storage_traits[i].name);
  }
  fail("quant", "\"", wanted, "\" is none of the formats ", names);
}

/// Bytes of a row of `cols` elements. Error: `cols` is not a multiple of the block.
[[nodiscard]] constexpr Index row_bytes(Storage storage, Index cols) {
  Index const elements = block_elements(storage);
  Index const bytes = block_bytes(storage);
  if (cols < 0 || cols % elements != 0)
    fail("quant", "a row of ", name(storage), " must have a multiple of ", elements, " columns: got ", cols);
  if (cols / elements > std::numeric_limits<Index>::max() / bytes)
    fail("quant", "a row of ", cols, " columns of ", name(storage), " is too large for this machine");
  return cols / elements * bytes;
}

/// A non-owning row-major matrix in any storage: `rows` rows of `row_bytes()` bytes, one after the other. The memory
/// may belong to a device and need not be aligned. Where the format `has_scales`, `scales` are those of the whole tensor,
/// in which row 0 here is row `first_row`, so that any panel of rows can be decoded alone. `exact`: products with it are not
/// to be computed in less than float by choice of speed (`Precision::int8`); trained weights are.
struct StoredMatrix {
  Storage storage = Storage::f32;
  std::byte const* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  BlockScales const* scales = nullptr;
  Index first_row = 0;
  bool exact = false;

  [[nodiscard]] Index row_bytes() const { return graft::row_bytes(storage, cols); }
  /// Bytes of the elements; scales that lie apart are not counted.
  [[nodiscard]] Index bytes() const { return rows * row_bytes(); }
  [[nodiscard]] Index size() const { return rows * cols; }
  [[nodiscard]] bool empty() const { return rows == 0 || cols == 0; }

  /// The first byte of row r.
  [[nodiscard]] std::byte const* row(Index r) const {
    assert(0 <= r && r <= rows);
    return data + r * row_bytes();
  }
  /// Rows [begin, end).
  [[nodiscard]] StoredMatrix rows_between(Index begin, Index end) const {
    assert(0 <= begin && begin <= end && end <= rows);
    return {storage, row(begin), end - begin, cols, scales, first_row + begin, exact};
  }
};

}  // namespace graft
