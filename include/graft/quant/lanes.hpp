// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <cstddef>

#if defined(__AVX512F__) || (defined(__AVX2__) && defined(__FMA__) && defined(__F16C__))
#define GRAFT_HAS_LANES 1
#include <immintrin.h>
#else
#define GRAFT_HAS_LANES 0
#endif

namespace graft::detail {

#if GRAFT_HAS_LANES

/// A register of floats and the few operations that products with stored weights need: GCC 12 makes neither a widening of
/// bytes to floats nor a fused chain of them out of plain loops.
struct Lanes {
#ifdef __AVX512F__
  static constexpr Index width = 16;
  __m512 values;

  static Lanes zero() { return {_mm512_setzero_ps()}; }
  static Lanes all(float x) { return {_mm512_set1_ps(x)}; }
  static Lanes load(float const* from) { return {_mm512_loadu_ps(from)}; }
  void store(float* to) const { _mm512_storeu_ps(to, values); }
  /// 16 integers of 8 bits, signed.
  static Lanes of(__m128i bytes) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))}; }
  /// a·b + c
  static Lanes fused(Lanes a, Lanes b, Lanes c) { return {_mm512_fmadd_ps(a.values, b.values, c.values)}; }
  Lanes operator*(Lanes b) const { return {_mm512_mul_ps(values, b.values)}; }
  Lanes operator+(Lanes b) const { return {_mm512_add_ps(values, b.values)}; }
  [[nodiscard]] float sum() const { return _mm512_reduce_add_ps(values); }
#else
  static constexpr Index width = 8;
  __m256 values;

  static Lanes zero() { return {_mm256_setzero_ps()}; }
  static Lanes all(float x) { return {_mm256_set1_ps(x)}; }
  static Lanes load(float const* from) { return {_mm256_loadu_ps(from)}; }
  void store(float* to) const { _mm256_storeu_ps(to, values); }
  /// The lower 8 integers of 8 bits, signed.
  static Lanes of(__m128i bytes) { return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))}; }
  static Lanes fused(Lanes a, Lanes b, Lanes c) { return {_mm256_fmadd_ps(a.values, b.values, c.values)}; }
  Lanes operator*(Lanes b) const { return {_mm256_mul_ps(values, b.values)}; }
  Lanes operator+(Lanes b) const { return {_mm256_add_ps(values, b.values)}; }
  [[nodiscard]] float sum() const {
    __m128 const four = _mm_add_ps(_mm256_castps256_ps128(values), _mm256_extractf128_ps(values, 1));
    __m128 const two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
#endif
};

/// Asks for what a pass over weights reads soon. The hardware's own prefetching ends at every page of 4 KiB, five to seven
/// rows of a small model; measured on weights that no cache holds: 11.6 → 20·10⁹ weights/s.
inline void prefetch_weights(std::byte const* at) { __builtin_prefetch(at + 1024); }

/// sums[i] = the sum of the lanes of x[i], for sixteen at once: a transposition that adds on its way.
inline void sum_sixteen(Lanes const* x, float* sums) {
#ifdef __AVX512F__
  __m512 pairs[8], fours[4];
  for (int i = 0; i < 8; ++i)
    pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(x[2 * i].values, x[2 * i + 1].values),
                             _mm512_unpackhi_ps(x[2 * i].values, x[2 * i + 1].values));
  for (int i = 0; i < 4; ++i) {
    auto const even = _mm512_castps_pd(pairs[2 * i]), odd = _mm512_castps_pd(pairs[2 * i + 1]);
    fours[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(even, odd)), _mm512_castpd_ps(_mm512_unpackhi_pd(even, odd)));
  }
  auto const halves = [](__m512 a, __m512 b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  };
  auto const first = halves(fours[0], fours[1]), second = halves(fours[2], fours[3]);
  _mm512_storeu_ps(sums, _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xdd)));
#else
  for (int i = 0; i < 16; ++i) sums[i] = x[i].sum();
#endif
}

/// Calls f(lanes, their offset) for 16 signed integers of 8 bits, the first of which has the offset `offset`.
template <class F>
inline void each_lanes_of_bytes(std::byte const* from, Index offset, F&& f) {
  auto const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(from));
  f(Lanes::of(bytes), offset);
  if constexpr (Lanes::width == 8) f(Lanes::of(_mm_srli_si128(bytes, 8)), offset + 8);
}

/// The same for 32 nibbles in 16 bytes, less `zero`: the low ones are the integers 0 … 15, the high ones 16 … 31. With 16
/// lanes a nibble selects its value from a register of all sixteen.
template <int Zero, class F>
inline void each_lanes_of_nibbles(std::byte const* from, F&& f) {
  auto const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(from));
#ifdef __AVX512F__
  auto const values = _mm512_setr_ps(0 - Zero, 1 - Zero, 2 - Zero, 3 - Zero, 4 - Zero, 5 - Zero, 6 - Zero, 7 - Zero, 8 - Zero,
                                     9 - Zero, 10 - Zero, 11 - Zero, 12 - Zero, 13 - Zero, 14 - Zero, 15 - Zero);
  auto const wide = _mm512_cvtepu8_epi32(bytes);
  f(Lanes{_mm512_permutexvar_ps(wide, values)}, Index{0});
  f(Lanes{_mm512_permutexvar_ps(_mm512_srli_epi32(wide, 4), values)}, Index{16});
#else
  auto const mask = _mm_set1_epi8(15), zero = _mm_set1_epi8(Zero);
  auto const low = _mm_sub_epi8(_mm_and_si128(bytes, mask), zero);
  auto const high = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), mask), zero);
  f(Lanes::of(low), Index{0});
  f(Lanes::of(_mm_srli_si128(low, 8)), Index{8});
  f(Lanes::of(high), Index{16});
  f(Lanes::of(_mm_srli_si128(high, 8)), Index{24});
#endif
}

#endif

}  // namespace graft::detail
