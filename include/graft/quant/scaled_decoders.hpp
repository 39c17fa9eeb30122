// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/quant/block_decoders.hpp>
#include <graft/quant/block_scales.hpp>
#include <graft/quant/level_table.hpp>
#include <graft/quant/storage.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>

namespace graft::detail {

/// The 16 levels of NF4: quantiles of a normal distribution, scaled to [-1, 1], one of them 0. Source: Dettmers et al.,
/// "QLoRA", 2023, appendix E; in float as in bitsandbytes.
inline constexpr std::array<float, 16> nf4_levels{-1.0f,
                                                  -0.6961928009986877f,
                                                  -0.5250730514526367f,
                                                  -0.39491748809814453f,
                                                  -0.28444138169288635f,
                                                  -0.18477343022823334f,
                                                  -0.09105003625154495f,
                                                  0.0f,
                                                  0.07958029955625534f,
                                                  0.16093020141124725f,
                                                  0.24611230194568634f,
                                                  0.33791524171829224f,
                                                  0.44070982933044434f,
                                                  0.5626170039176941f,
                                                  0.7229568362236023f,
                                                  1.0f};

/// The levels of bitsandbytes' FP4: a sign and two exponent bits and one of the mantissa, divided by the largest, 12.
inline constexpr std::array<float, 16> fp4_levels{
    0.0f, 0.0625f / 12,  8.0f / 12,  1.0f,  4.0f / 12,  6.0f / 12,  2.0f / 12,  3.0f / 12,
    0.0f, -0.0625f / 12, -8.0f / 12, -1.0f, -4.0f / 12, -6.0f / 12, -2.0f / 12, -3.0f / 12};

[[nodiscard]] constexpr std::array<float, 16> const& levels_of(Storage storage) {
  return storage == Storage::fp4 ? fp4_levels : nf4_levels;
}

/// Row r of an nf4 or fp4 matrix, block by block: the first and the last may be shared with the rows beside it.
template <class T>
void decode_4bit_row(StoredMatrix const& matrix, Index r, T* out) noexcept {
  std::array<float, 16> const& levels = levels_of(matrix.storage);
  BlockScales const& scales = *matrix.scales;
  std::byte const* from = matrix.row(r);
  Index const first = (matrix.first_row + r) * matrix.cols;
  Index block = first / scales.block, here = (block + 1) * scales.block - first;
  for (Index left = matrix.cols; left > 0; left -= here, ++block, here = scales.block) {
    here = std::min(left, here);
    LevelTable<T>(levels, scales.scale(block)).decode(from, here, out);
    from += here / 2;
    out += here;
  }
}

/// int8: q·absmax/127 as bitsandbytes computes it, two rounded products.
template <class T>
void decode_int8_row(StoredMatrix const& matrix, Index r, T* out) noexcept {
  std::int8_t const* const q = signed_bytes(matrix.row(r));
  float const absmax = matrix.scales->scale(matrix.first_row + r);
  auto const decode = [=](Index c, Index count, auto* values) {
    for (Index j = 0; j < count; ++j) values[j] = static_cast<float>(q[c + j]) * absmax * 7.874015718698502e-3f;
  };
  if constexpr (std::same_as<T, bf16>)
    decode_by_floats(matrix.cols, out, decode);
  else
    decode(0, matrix.cols, out);
}

template <class T>
void decode_scaled_row(StoredMatrix const& matrix, Index r, T* out) noexcept {
  assert(matrix.scales != nullptr);
  if (matrix.storage == Storage::int8) return decode_int8_row(matrix, r, out);
  decode_4bit_row(matrix, r, out);
}

}  // namespace graft::detail
