// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/int8_quantize.hpp>
#include <graft/backend/cpu/int8_weights.hpp>
#include <graft/core/view.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

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

#if GRAFT_HAS_INT8_LANES

/// The same bits for Tokens rows and Strips strips, whose running sums stay in registers: a loaded activation serves every
/// strip, a loaded weight every token. `last` are the lanes of the last strip that exist in y.
template <Index Tokens, Index Strips>
void int8_tile(Int8Rows x, Int8Block const* strips, Index blocks, Index strip_stride, bool accumulate, __mmask16 last,
               float* y, Index y_stride) {
  constexpr auto N = static_cast<std::size_t>(Tokens), S = static_cast<std::size_t>(Strips);
  auto const mask = [&](std::size_t s) { return s + 1 == S ? last : static_cast<__mmask16>(-1); };
  auto const at = [&](std::size_t n, std::size_t s) {
    return y + static_cast<Index>(n) * y_stride + static_cast<Index>(s) * int8_lanes;
  };
  __m512 sums[N][S];
#pragma GCC unroll 8
  for (std::size_t n = 0; n < N; ++n)
#pragma GCC unroll 8
    for (std::size_t s = 0; s < S; ++s) {
      sums[n][s] = accumulate ? _mm512_maskz_loadu_ps(mask(s), at(n, s)) : _mm512_setzero_ps();
      __builtin_prefetch(at(n, s),
                         1);  // outputs are in no cache: asked for now, they arrive while the tile is computed
    }
  std::uint8_t const* q = x.q;
  float const* scales = x.scales;
  Index const row = x.blocks * int8_block;
  for (Index b = 0; b < blocks; ++b, q += int8_block, ++scales, ++strips) {
    __m512i dots[N][S];
#pragma GCC unroll 8
    for (std::size_t n = 0; n < N; ++n)
#pragma GCC unroll 8
      for (std::size_t s = 0; s < S; ++s)
        dots[n][s] = _mm512_load_si512(strips[static_cast<Index>(s) * strip_stride].base.data());
#pragma GCC unroll 8
    for (std::size_t g = 0; g < 8; ++g) {
      __m512i weights[S];
#pragma GCC unroll 8
      for (std::size_t s = 0; s < S; ++s)
        weights[s] = _mm512_load_si512(strips[static_cast<Index>(s) * strip_stride].words[g].data());
#pragma GCC unroll 8
      for (std::size_t n = 0; n < N; ++n) {
        std::int32_t four;
        std::memcpy(&four, q + static_cast<Index>(n) * row + 4 * g, 4);
        __m512i const token = _mm512_set1_epi32(four);
#pragma GCC unroll 8
        for (std::size_t s = 0; s < S; ++s) dots[n][s] = _mm512_dpbusd_epi32(dots[n][s], token, weights[s]);
      }
    }
#pragma GCC unroll 8
    for (std::size_t s = 0; s < S; ++s) {
      __m512 const scale = _mm512_load_ps(strips[static_cast<Index>(s) * strip_stride].scale.data());
#pragma GCC unroll 8
      for (std::size_t n = 0; n < N; ++n)
        sums[n][s] = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(dots[n][s]), scale),
                                     _mm512_set1_ps(scales[static_cast<Index>(n) * x.blocks]), sums[n][s]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t n = 0; n < N; ++n)
#pragma GCC unroll 8
    for (std::size_t s = 0; s < S; ++s) _mm512_mask_storeu_ps(at(n, s), mask(s), sums[n][s]);
}

/// `int8_product_plainly` by VNNI (AVX-512): 4 tokens × 3 strips, 24 registers of sums. Weights stay in the first cache
/// while the tokens pass by.
inline void int8_product_by_lanes(Int8Rows x, Int8Block const* strips, Index blocks, Index strip_stride,
                                  bool accumulate, Out<float> y) {
  constexpr Index tokens = 4, wide = 3;
  auto const pass = [&]<Index Strips>(Index s) {
    Index const lanes = std::min(int8_lanes, y.cols - (s + Strips - 1) * int8_lanes);
    auto const last = static_cast<__mmask16>((1u << lanes) - 1u);
    auto const tile = [&]<Index Tokens>(Index t) {
      int8_tile<Tokens, Strips>({x.bytes_of(t, 0), x.scales_of(t, 0), x.blocks}, strips + s * strip_stride, blocks,
                                strip_stride, accumulate, last, y.row(t) + s * int8_lanes, y.stride);
    };
    Index t = 0;
    for (; t + tokens <= y.rows; t += tokens) tile.template operator()<tokens>(t);
    for (; t < y.rows; ++t) tile.template operator()<1>(t);
  };
  Index const count = (y.cols + int8_lanes - 1) / int8_lanes;
  Index s = 0;
  for (; s + wide <= count; s += wide) pass.template operator()<wide>(s);
  for (; s < count; ++s) pass.template operator()<1>(s);
}

#endif

/// The product by what this processor has.
inline void int8_product(Int8Rows x, Int8Block const* strips, Index blocks, Index strip_stride, bool accumulate,
                         Out<float> y) {
#if GRAFT_HAS_INT8_LANES
  int8_product_by_lanes(x, strips, blocks, strip_stride, accumulate, y);
#else
  int8_product_plainly(x, strips, blocks, strip_stride, accumulate, y);
#endif
}

}  // namespace graft::detail
