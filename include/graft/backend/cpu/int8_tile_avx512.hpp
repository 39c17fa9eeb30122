// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/int8_quantize.hpp>
#include <graft/backend/cpu/int8_weights.hpp>
#include <graft/core/scalar.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#if GRAFT_HAS_INT8_LANES

namespace graft::detail {

/// The bits of `int8_product_plainly` for Tokens rows and Strips strips, whose running sums stay in registers: a loaded activation serves every
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

}  // namespace graft::detail

#endif
