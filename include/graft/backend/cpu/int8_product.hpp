// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/int8_quantize.hpp>
#include <graft/backend/cpu/int8_tile_avx2.hpp>
#include <graft/backend/cpu/int8_tile_avx512.hpp>
#include <graft/backend/cpu/int8_weights.hpp>
#include <graft/core/view.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace graft::detail {

/// y[t][j] (+)= Σ_b scale_x[t][b]·(scale_w[b][j]·Σ_k q_x·q_w): integers within a block of 32, float over blocks, in the order
/// of b, by a fused multiply-add. `strips` are y.cols outputs, `x` starts at its first row and block. One thread.
inline void int8_product_plainly(Int8Rows x, Int8Block const* strips, Index blocks, Index strip_stride, bool accumulate,
                                 Out<float> y) {
  for (Index first = 0; first < y.cols; first += int8_lanes, strips += strip_stride)
    for (Index t = 0; t < y.rows; ++t) {
      Index const lanes = std::min(int8_lanes, y.cols - first);
      std::array<float, 16> sums{};
      if (accumulate) std::copy_n(y.row(t) + first, lanes, sums.begin());
      for (Index b = 0; b < blocks; ++b) {
        Int8Block const& block = strips[b];
        std::uint8_t const* q = x.bytes_of(t, b);
        std::array<std::int32_t, 16> dots = block.base;
        for (auto const& words : block.words)
          for (int shift = 24; shift >= 0; shift -= 8) {
            std::int32_t const token = *q++;
            for (std::size_t l = 0; l < 16; ++l)
              dots[l] += token * (static_cast<std::int32_t>(words[l] << shift) >> 24);
          }
        float const scale = *x.scales_of(t, b);
        for (std::size_t l = 0; l < 16; ++l)
          sums[l] = std::fma(static_cast<float>(dots[l]) * block.scale[l], scale, sums[l]);
      }
      std::copy_n(sums.begin(), lanes, y.row(t) + first);
    }
}

/// Calls f<N>(i) for all of 0 … count - 1: the N = Most from i on at a time, and the rest one by one.
template <Index Most>
void int8_in_groups(Index count, auto&& f) {
  Index i = 0;
  for (; i + Most <= count; i += Most) f.template operator()<Most>(i);
  for (; i < count; ++i) f.template operator()<1>(i);
}

#if GRAFT_HAS_INT8_LANES

/// `int8_product_plainly` by VNNI (AVX-512): 4 tokens × 3 strips, 24 registers of sums. Weights stay in the first cache
/// while the tokens pass by.
inline void int8_product_by_lanes(Int8Rows x, Int8Block const* strips, Index blocks, Index strip_stride,
                                  bool accumulate, Out<float> y) {
  int8_in_groups<3>((y.cols + int8_lanes - 1) / int8_lanes, [&]<Index Strips>(Index s) {
    Index const lanes = std::min(int8_lanes, y.cols - (s + Strips - 1) * int8_lanes);
    auto const last = static_cast<__mmask16>((1u << lanes) - 1u);
    int8_in_groups<4>(y.rows, [&]<Index Tokens>(Index t) {
      int8_tile<Tokens, Strips>({x.bytes_of(t, 0), x.scales_of(t, 0), x.blocks}, strips + s * strip_stride, blocks,
                                strip_stride, accumulate, last, y.row(t) + s * int8_lanes, y.stride);
    });
  });
}

#endif

#if GRAFT_HAS_INT8_HALVES

/// `int8_product_plainly` by registers of 256 bits: 4 tokens × a strip, 8 registers of sums.
inline void int8_product_by_halves(Int8Rows x, Int8Block const* strips, Index blocks, Index strip_stride,
                                   bool accumulate, Out<float> y) {
  for (Index first = 0; first < y.cols; first += int8_lanes, strips += strip_stride)
    int8_in_groups<4>(y.rows, [&]<Index Tokens>(Index t) {
      int8_tile_of_halves<Tokens>({x.bytes_of(t, 0), x.scales_of(t, 0), x.blocks}, strips, blocks, accumulate,
                                  std::min(int8_lanes, y.cols - first), y.row(t) + first, y.stride);
    });
}

#endif

/// The product by what this processor has.
inline void int8_product(Int8Rows x, Int8Block const* strips, Index blocks, Index strip_stride, bool accumulate,
                         Out<float> y) {
#if GRAFT_HAS_INT8_LANES
  int8_product_by_lanes(x, strips, blocks, strip_stride, accumulate, y);
#elif GRAFT_HAS_INT8_HALVES
  int8_product_by_halves(x, strips, blocks, strip_stride, accumulate, y);
#else
  int8_product_plainly(x, strips, blocks, strip_stride, accumulate, y);
#endif
}

}  // namespace graft::detail
