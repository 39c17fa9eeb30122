// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/int8_quantize.hpp>
#include <graft/backend/cpu/int8_weights.hpp>
#include <graft/core/scalar.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#if GRAFT_HAS_INT8_HALVES

namespace graft::detail {

/// Eight outputs' words of four weights, and how they meet a token's four bytes.
struct Int8Words {
  __m256i weights;
#ifdef __AVXVNNI__
  explicit Int8Words(std::uint32_t const* words)
      : weights(_mm256_load_si256(reinterpret_cast<__m256i const*>(words))) {}
  /// Bytes stay q + 128: the block's base takes the 128 off.
  static __m256i first(std::int32_t const* base) { return _mm256_load_si256(reinterpret_cast<__m256i const*>(base)); }
  static __m256i token(std::int32_t four) { return _mm256_set1_epi32(four); }
  /// dots + Σ of the four products: one instruction, four times the rate of floats.
  [[nodiscard]] __m256i add(__m256i dots, __m256i token) const { return _mm256_dpbusd_avx_epi32(dots, token, weights); }
#else
  __m256i magnitudes;
  explicit Int8Words(std::uint32_t const* words)
      : weights(_mm256_load_si256(reinterpret_cast<__m256i const*>(words))), magnitudes(_mm256_abs_epi8(weights)) {}
  static __m256i first(std::int32_t const*) { return _mm256_setzero_si256(); }
  /// q itself: with bytes of 255 a sum of two products would not fit 16 bits, with 127 it is 32258 at most.
  static __m256i token(std::int32_t four) { return _mm256_xor_si256(_mm256_set1_epi32(four), _mm256_set1_epi8(-128)); }
  /// |w|·(q with w's sign), two products in 16 bits, then two of these in 32.
  [[nodiscard]] __m256i add(__m256i dots, __m256i token) const {
    __m256i const pairs = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(token, weights));
    return _mm256_add_epi32(dots, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
#endif
};

/// The bits of `int8_product_plainly` for Tokens rows and the `lanes` first outputs of a strip, by registers of eight.
template <Index Tokens>
void int8_tile_of_halves(Int8Rows x, Int8Block const* strip, Index blocks, bool accumulate, Index lanes, float* y,
                         Index y_stride) {
  constexpr auto N = static_cast<std::size_t>(Tokens);
  __m256i const lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256i const mask[2] = {_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes)), lane),
                           _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes) - 8), lane)};
  auto const at = [&](std::size_t n, std::size_t h) { return y + static_cast<Index>(n) * y_stride + 8 * h; };
  __m256 sums[N][2];
  std::uint8_t const* q[N];  // a pointer a token: of one and offsets GCC makes an address for every load
#pragma GCC unroll 8
  for (std::size_t n = 0; n < N; ++n) {
    q[n] = x.bytes_of(static_cast<Index>(n), 0);
    __builtin_prefetch(at(n, 0), 1);  // outputs are in no cache
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h)
      sums[n][h] = accumulate ? _mm256_maskload_ps(at(n, h), mask[h]) : _mm256_setzero_ps();
  }
  float const* scales = x.scales;
  for (Index b = 0; b < blocks; ++b, ++scales, ++strip) {
    __m256i dots[N][2];
#pragma GCC unroll 8
    for (std::size_t n = 0; n < N; ++n)
#pragma GCC unroll 2
      for (std::size_t h = 0; h < 2; ++h) dots[n][h] = Int8Words::first(strip->base.data() + 8 * h);
#pragma GCC unroll 8
    for (std::size_t g = 0; g < 8; ++g) {
      Int8Words const low(strip->words[g].data()), high(strip->words[g].data() + 8);
#pragma GCC unroll 8
      for (std::size_t n = 0; n < N; ++n) {
        std::int32_t four;
        std::memcpy(&four, q[n] + 4 * g, 4);
        __m256i const token = Int8Words::token(four);
        dots[n][0] = low.add(dots[n][0], token);
        dots[n][1] = high.add(dots[n][1], token);
      }
    }
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h) {
      __m256 const scale = _mm256_load_ps(strip->scale.data() + 8 * h);
#pragma GCC unroll 8
      for (std::size_t n = 0; n < N; ++n)
        sums[n][h] = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(dots[n][h]), scale),
                                     _mm256_set1_ps(scales[static_cast<Index>(n) * x.blocks]), sums[n][h]);
    }
#pragma GCC unroll 8
    for (std::size_t n = 0; n < N; ++n) q[n] += int8_block;
  }
#pragma GCC unroll 8
  for (std::size_t n = 0; n < N; ++n)
#pragma GCC unroll 2
    for (std::size_t h = 0; h < 2; ++h) _mm256_maskstore_ps(at(n, h), mask[h], sums[n][h]);
}

}  // namespace graft::detail

#endif
