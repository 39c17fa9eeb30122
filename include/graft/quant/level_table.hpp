// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/bf16_rounding.hpp>
#include <graft/core/scalar.hpp>
#include <graft/quant/block_decoders.hpp>

#include <array>
#include <concepts>
#include <cstddef>

#if defined(__AVX512F__) && defined(__AVX512BW__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace graft::detail {

/// 16 values in registers, of which codes select `width` at a time; a byte has two codes, the first in its high nibble.
template <class T>
struct LevelLanes;

#if defined(__AVX512F__) && defined(__AVX512BW__)

/// A permutation looks at the lowest bits of a lane only, so the codes need no mask.
template <>
struct LevelLanes<float> {
  static constexpr Index width = 16;
  __m512 values;

  explicit LevelLanes(float const* from) : values(_mm512_loadu_ps(from)) {}
  void select(std::byte const* codes, float* out) const {
    __m512i const bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<__m128i const*>(codes)));
    __m512i const lanes = _mm512_or_si512(_mm512_srli_epi64(bytes, 4), _mm512_slli_epi64(bytes, 32));
    _mm512_storeu_ps(out, _mm512_permutexvar_ps(lanes, values));
  }
};

template <>
struct LevelLanes<bf16> {
  static constexpr Index width = 32;
  __m512i values;  // twice, as the permutation looks at five bits

  explicit LevelLanes(bf16 const* from)
      : values(_mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<__m256i const*>(from)))) {}
  void select(std::byte const* codes, bf16* out) const {
    __m512i const bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<__m128i const*>(codes)));
    __m512i const lanes = _mm512_or_si512(_mm512_srli_epi32(bytes, 4), _mm512_slli_epi32(bytes, 16));
    _mm512_storeu_si512(out, _mm512_permutexvar_epi16(lanes, values));
  }
};

#elif defined(__AVX2__)

/// A permutation has eight floats to choose of: one for the lower half of the levels, one for the upper, and the code's
/// highest bit says which is meant.
template <>
struct LevelLanes<float> {
  static constexpr Index width = 8;
  __m256 low, high;

  explicit LevelLanes(float const* from) : low(_mm256_loadu_ps(from)), high(_mm256_loadu_ps(from + 8)) {}
  void select(std::byte const* codes, float* out) const {
    __m256i const bytes = _mm256_set1_epi32(load<std::int32_t>(codes)),
                  shifts = _mm256_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24);
    __m256i const lanes = _mm256_srlv_epi32(bytes, shifts);
    __m256i const upper = _mm256_slli_epi32(lanes, 28);
    _mm256_storeu_ps(out, _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, lanes), _mm256_permutevar8x32_ps(high, lanes),
                                           _mm256_castsi256_ps(upper)));
  }
};

/// The two bytes of a value are selected apart.
template <>
struct LevelLanes<bf16> {
  static constexpr Index width = 32;
  __m128i low, high;

  explicit LevelLanes(bf16 const* from) {
    __m128i const first = _mm_loadu_si128(reinterpret_cast<__m128i const*>(from));
    __m128i const second = _mm_loadu_si128(reinterpret_cast<__m128i const*>(from + 8));
    __m128i const byte = _mm_set1_epi16(255);
    low = _mm_packus_epi16(_mm_and_si128(first, byte), _mm_and_si128(second, byte));
    high = _mm_packus_epi16(_mm_srli_epi16(first, 8), _mm_srli_epi16(second, 8));
  }
  void select(std::byte const* codes, bf16* out) const {
    __m128i const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(codes)), nibble = _mm_set1_epi8(15);
    __m128i const even = _mm_and_si128(_mm_srli_epi16(bytes, 4), nibble), odd = _mm_and_si128(bytes, nibble);
    auto* const to = reinterpret_cast<__m128i*>(out);
    for (int half = 0; half < 2; ++half) {
      __m128i const lanes = half == 0 ? _mm_unpacklo_epi8(even, odd) : _mm_unpackhi_epi8(even, odd);
      __m128i const lower = _mm_shuffle_epi8(low, lanes), upper = _mm_shuffle_epi8(high, lanes);
      _mm_storeu_si128(to + 2 * half, _mm_unpacklo_epi8(lower, upper));
      _mm_storeu_si128(to + 2 * half + 1, _mm_unpackhi_epi8(lower, upper));
    }
  }
};

#endif

/// What the 16 codes of a block stand for: level·scale, rounded to float and then to T.
template <class T>
class LevelTable {
 public:
  LevelTable(std::array<float, 16> const& levels, float scale) noexcept {
    if constexpr (std::same_as<T, bf16>) {
      float products[16];
      for (std::size_t i = 0; i < 16; ++i) products[i] = levels[i] * scale;
      round_to_bf16(products, 16, values_);
    } else {
      for (std::size_t i = 0; i < 16; ++i) values_[i] = levels[i] * scale;
    }
  }

  /// `count` elements, an even number; a byte has two codes, the first in its high nibble.
  void decode(std::byte const* codes, Index count, T* out) const noexcept {
    Index j = 0;
    if constexpr (requires { sizeof(LevelLanes<T>); }) {
      LevelLanes<T> const lanes(values_);
      for (; j + lanes.width <= count; j += lanes.width) lanes.select(codes + j / 2, out + j);
    }
    for (; j < count; j += 2) {
      auto const byte = static_cast<std::size_t>(codes[j / 2]);
      out[j] = values_[byte >> 4];
      out[j + 1] = values_[byte & 15];
    }
  }

 private:
  alignas(64) T values_[16];
};

}  // namespace graft::detail
