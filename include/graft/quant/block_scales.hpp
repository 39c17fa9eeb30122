// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace graft {

/// The scales of an nf4, fp4 or int8 tensor: the largest magnitude of each block of consecutive elements, row-major over the
/// whole tensor, so that a block may run from one row into the next. int8: a block is a row.
///
/// Double quantisation stores the scale of block b as a code: map[codes[b]]·absmax[b / nested_block] + offset. Source:
/// Dettmers et al., "QLoRA", 2023, section 3; bitsandbytes, `QuantState`. Does not own the arrays, which may be unaligned.
struct BlockScales {
  Index block = 64;
  std::byte const* absmax = nullptr;  ///< f32: one a block, or, with codes, one for every `nested_block` blocks
  std::byte const* codes = nullptr;   ///< u8, one a block; null: the scales are stored as they are
  std::array<float, 256> map = {};    ///< what a code stands for
  Index nested_block = 256;
  float offset = 0;

  [[nodiscard]] bool nested() const { return codes != nullptr; }
  [[nodiscard]] static Index count(Index elements, Index block) { return (elements + block - 1) / block; }
  /// Number of blocks of a tensor of `elements`, and of its f32 values.
  [[nodiscard]] Index blocks(Index elements) const { return count(elements, block); }
  [[nodiscard]] Index absmax_count(Index elements) const {
    return nested() ? count(blocks(elements), nested_block) : blocks(elements);
  }
  /// Bytes of all scales, with the map and the offset if there are codes.
  [[nodiscard]] Index bytes(Index elements) const { return nested() ? bytes_nested(elements) : 4 * blocks(elements); }
  /// The same if there were codes.
  [[nodiscard]] Index bytes_nested(Index elements) const {
    return 4 * count(blocks(elements), nested_block) + blocks(elements) + 4 * 256 + 4;
  }

  /// The scale of block `b`: a rounded product, then a rounded sum; by way of double, so that no compiler fuses the two.
  [[nodiscard]] float scale(Index b) const noexcept {
    if (!nested()) return absmax_at(b);
    auto const value = static_cast<double>(map[static_cast<std::size_t>(codes[b])]);
    return static_cast<float>(value * static_cast<double>(absmax_at(b / nested_block))) + offset;
  }

 private:
  [[nodiscard]] float absmax_at(Index i) const noexcept {
    float value;
    std::memcpy(&value, absmax + i * static_cast<Index>(sizeof value), sizeof value);
    return value;
  }
};

}  // namespace graft
