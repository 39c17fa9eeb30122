// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/core/view.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
#define GRAFT_HAS_INT8_LANES 1
#else
#define GRAFT_HAS_INT8_LANES 0
#endif

#if defined(__AVX2__) && defined(__FMA__)
#define GRAFT_HAS_INT8_HALVES 1
#include <immintrin.h>
#else
#define GRAFT_HAS_INT8_HALVES 0
#endif

namespace graft::detail {

/// Elements along the contraction that share a scale, in weights and in activations. One scale a row would leave the small
/// elements beside an outlier nothing; of 32 it is the outlier's neighbours alone that lose.
inline constexpr Index int8_block = 32;

/// Blocks that cover n elements.
[[nodiscard]] constexpr Index int8_blocks(Index n) { return (n + int8_block - 1) / int8_block; }

/// x ≈ q·scale with q = round(x·inverse) in -127 … 127.
struct Int8Scale {
  float scale;
  float inverse;
};

/// The bits of |x|. They order as the magnitudes do, infinities and NaN above all, and a loop over them vectorises.
[[nodiscard]] inline std::uint32_t magnitude_bits(float x) { return std::bit_cast<std::uint32_t>(x) & 0x7fffffffu; }

/// The scale of a block by the bits of its largest magnitude a: a/127. Blocks below 1e-30 are zero: 127/a must be finite.
/// Where a is not finite neither is the scale, nor what is multiplied by it.
[[nodiscard]] inline Int8Scale int8_scale(std::uint32_t largest) {
  float const a = std::bit_cast<float>(largest);
  bool const zero = a < 1e-30f;
  return {zero ? 0.0f : a * (1.0f / 127.0f), zero ? 0.0f : 127.0f / a};
}

/// The integer nearest to x·inverse, ties to even, below 2²² in magnitude: 1.5·2²³ leaves it in the low bits of the sum.
[[nodiscard]] inline std::int32_t nearest_integer(float x, float inverse) {
  return std::bit_cast<std::int32_t>(std::fma(x, inverse, 12582912.0f)) - std::bit_cast<std::int32_t>(12582912.0f);
}

/// Rows of activations in int8: row t has `blocks` blocks of 32 bytes q + 128 and as many scales.
struct Int8Rows {
  std::uint8_t* q = nullptr;
  float* scales = nullptr;
  Index blocks = 0;

  /// Rows from t on, blocks from b on.
  [[nodiscard]] std::uint8_t* bytes_of(Index t, Index b) const { return q + (t * blocks + b) * int8_block; }
  [[nodiscard]] float* scales_of(Index t, Index b) const { return scales + t * blocks + b; }
};

/// Quantises a block of 32 elements.
inline void quantize_int8_block_plainly(float const* x, std::uint8_t* q, float& scale) {
  std::uint32_t largest = 0;
  for (Index j = 0; j < int8_block; ++j) largest = std::max(largest, magnitude_bits(x[j]));
  Int8Scale const s = int8_scale(largest);
  scale = s.scale;
  for (Index j = 0; j < int8_block; ++j) q[j] = static_cast<std::uint8_t>(nearest_integer(x[j], s.inverse) + 128);
}

#if GRAFT_HAS_INT8_LANES

/// The same bits by registers.
inline void quantize_int8_block_by_lanes(float const* x, std::uint8_t* q, float& scale) {
  __m512 const low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
  __m512i const magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i const largest = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(low), magnitude),
                                           _mm512_and_si512(_mm512_castps_si512(high), magnitude));
  Int8Scale const s = int8_scale(_mm512_reduce_max_epu32(largest));
  scale = s.scale;
  auto const bytes = [&](__m512 values) {
    __m512 const shifted = _mm512_fmadd_ps(values, _mm512_set1_ps(s.inverse), _mm512_set1_ps(12582912.0f));
    return _mm_xor_si128(_mm512_cvtepi32_epi8(_mm512_castps_si512(shifted)), _mm_set1_epi8(-128));
  };
  _mm_storeu_si128(reinterpret_cast<__m128i*>(q), bytes(low));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(q + 16), bytes(high));
}

#endif

inline void quantize_int8_block(float const* x, std::uint8_t* q, float& scale) {
#if GRAFT_HAS_INT8_LANES
  quantize_int8_block_by_lanes(x, q, scale);
#else
  quantize_int8_block_plainly(x, q, scale);
#endif
}

/// Quantises row t of x into row t of `to`; what its last block misses is 0.
inline void quantize_int8_row(In<float> x, Index t, Int8Rows to) {
  float const* from = x.row(t);
  std::uint8_t* q = to.bytes_of(t, 0);
  float* scale = to.scales_of(t, 0);
  Index const whole = x.cols / int8_block;
  for (Index b = 0; b < whole; ++b, from += int8_block, q += int8_block) quantize_int8_block(from, q, *scale++);
  if (whole == to.blocks) return;
  std::array<float, int8_block> padded{};
  std::copy_n(from, x.cols - whole * int8_block, padded.begin());
  quantize_int8_block(padded.data(), q, *scale);
}

}  // namespace graft::detail
