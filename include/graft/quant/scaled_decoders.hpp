// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/quant/block_decoders.hpp>
#include <graft/quant/block_scales.hpp>
#include <graft/quant/storage.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstring>

namespace graft::detail {

/// The 16 levels of NF4: quantiles of a normal distribution, scaled to [-1, 1], one of them 0. Source: Dettmers et al.,
/// "QLoRA", 2023, appendix E; in float as in bitsandbytes.
inline constexpr std::array<float, 16> nf4_levels{
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
    -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f};

/// The levels of bitsandbytes' FP4: a sign and two exponent bits and one of the mantissa, divided by the largest, 12.
inline constexpr std::array<float, 16> fp4_levels{
    0.0f, 0.0625f / 12, 8.0f / 12, 1.0f, 4.0f / 12, 6.0f / 12, 2.0f / 12, 3.0f / 12,
    0.0f, -0.0625f / 12, -8.0f / 12, -1.0f, -4.0f / 12, -6.0f / 12, -2.0f / 12, -3.0f / 12};

[[nodiscard]] constexpr std::array<float, 16> const& levels_of(Storage storage) {
  return storage == Storage::fp4 ? fp4_levels : nf4_levels;
}

/// The two levels that each byte stands for, the high nibble's first: one load decodes two elements.
using LevelPairs = std::array<std::array<float, 2>, 256>;
[[nodiscard]] constexpr LevelPairs level_pairs(std::array<float, 16> const& levels) {
  LevelPairs pairs{};
  for (std::size_t byte = 0; byte < 256; ++byte) pairs[byte] = {levels[byte >> 4], levels[byte & 15]};
  return pairs;
}
inline constexpr LevelPairs nf4_pairs = level_pairs(nf4_levels);
inline constexpr LevelPairs fp4_pairs = level_pairs(fp4_levels);

/// `count` elements, at most 64 and even, of one block.
template <class T>
inline void decode_pairs(LevelPairs const& pairs, std::byte const* __restrict from, Index count, float scale,
                         T* __restrict out) noexcept {
  float levels[64];
  for (Index j = 0; j < count / 2; ++j)
    std::memcpy(levels + 2 * j, pairs[static_cast<std::size_t>(from[j])].data(), 2 * sizeof(float));
  for (Index j = 0; j < count; ++j) store(out[j], levels[j] * scale);
}

/// Row r of an nf4 or fp4 matrix, block by block: the first and the last may be shared with the rows beside it.
template <class T>
void decode_4bit_row(StoredMatrix const& matrix, Index r, T* out) noexcept {
  LevelPairs const& pairs = matrix.storage == Storage::fp4 ? fp4_pairs : nf4_pairs;
  BlockScales const& scales = *matrix.scales;
  std::byte const* from = matrix.row(r);
  Index element = (matrix.first_row + r) * matrix.cols, left = matrix.cols;
  while (left > 0) {
    Index const block = element / scales.block;
    Index here = std::min(left, (block + 1) * scales.block - element);
    float const scale = scales.scale(block);
    element += here;
    left -= here;
    for (; here >= 64; here -= 64, from += 32, out += 64) decode_pairs(pairs, from, 64, scale, out);
    decode_pairs(pairs, from, here, scale, out);
    from += here / 2;
    out += here;
  }
}

/// int8: q·absmax/127 as bitsandbytes computes it, two rounded products.
template <class T>
void decode_int8_row(StoredMatrix const& matrix, Index r, T* out) noexcept {
  std::int8_t const* const q = signed_bytes(matrix.row(r));
  float const absmax = matrix.scales->scale(matrix.first_row + r);
  for (Index j = 0; j < matrix.cols; ++j) store(out[j], static_cast<float>(q[j]) * absmax * 7.874015718698502e-3f);
}

template <class T>
void decode_scaled_row(StoredMatrix const& matrix, Index r, T* out) noexcept {
  assert(matrix.scales != nullptr);
  if (matrix.storage == Storage::int8) return decode_int8_row(matrix, r, out);
  decode_4bit_row(matrix, r, out);
}

}  // namespace graft::detail
