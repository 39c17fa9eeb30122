// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/bf16_rounding.hpp>
#include <graft/quant/block_decoders.hpp>
#include <graft/quant/lanes.hpp>

#include <cstddef>
#include <cstdint>

namespace graft::detail {

#if GRAFT_HAS_LANES

/// Block formats whose integers come as lanes: `lanes(block, f)` calls f(lanes, their offset) for the 32 of a block.
struct LanesQ4_0 : DecodeQ4_0 {
  static constexpr bool has_minimum = false;
  static constexpr int zero = 8;
  static std::byte const* nibbles(std::byte const* block) { return block + 2; }
  template <class F>
  static void lanes(std::byte const* block, F&& f) {
    each_lanes_of_nibbles<zero>(nibbles(block), f);
  }
};

struct LanesQ4_1 : DecodeQ4_1 {
  static constexpr bool has_minimum = true;
  static constexpr int zero = 0;
  static std::byte const* nibbles(std::byte const* block) { return block + 4; }
  template <class F>
  static void lanes(std::byte const* block, F&& f) {
    each_lanes_of_nibbles<zero>(nibbles(block), f);
  }
};

struct LanesQ8_0 : DecodeQ8_0 {
  static constexpr bool has_minimum = false;
  template <class F>
  static void lanes(std::byte const* block, F&& f) {
    each_lanes_of_bytes(block + 2, 0, f);
    each_lanes_of_bytes(block + 18, 16, f);
  }
};

/// Two halves that lie side by side, or one and whatever follows it.
struct TwoHalves {
  __m128 values;
  explicit TwoHalves(std::byte const* from) : values(_mm_cvtph_ps(_mm_cvtsi32_si128(load<std::int32_t>(from)))) {}
  [[nodiscard]] float first() const { return _mm_cvtss_f32(values); }
  [[nodiscard]] float second() const { return _mm_cvtss_f32(_mm_movehdup_ps(values)); }
};

/// One block, decoded: the same bits as `Format::block`'s, since a half times a small integer is exact.
template <class Format>
inline void decode_by_lanes(std::byte const* block, float* out) noexcept {
  prefetch_weights(block);
  TwoHalves const scales(block);
  Lanes const scale = Lanes::all(scales.first());
  if constexpr (Format::has_minimum) {
    Lanes const minimum = Lanes::all(scales.second());
    Format::lanes(block, [&](Lanes q, Index offset) { Lanes::fused(scale, q, minimum).store(out + offset); });
  } else {
    Format::lanes(block, [&](Lanes q, Index offset) { (scale * q).store(out + offset); });
  }
}

#ifdef __AVX512BW__
/// A block of nibbles as bf16: the 16 values that a nibble can have are rounded once, and one permutation selects all 32. The same
/// bits as the decoded floats rounded.
template <class Format>
  requires requires { Format::zero; }
inline void decode_by_lanes(std::byte const* block, bf16* out) noexcept {
  prefetch_weights(block);
  TwoHalves const scales(block);
  __m512 const codes = _mm512_add_ps(_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_ps(-Format::zero));
  alignas(64) float values[16];
  if constexpr (Format::has_minimum)
    _mm512_store_ps(values, _mm512_fmadd_ps(_mm512_set1_ps(scales.first()), codes, _mm512_set1_ps(scales.second())));
  else
    _mm512_store_ps(values, _mm512_mul_ps(_mm512_set1_ps(scales.first()), codes));
  alignas(32) bf16 rounded[16];
  round_to_bf16(values, 16, rounded);
  __m128i const bytes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(Format::nibbles(block)));
  __m256i const both = _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes), _mm256_set1_epi8(15));
  __m512i const table = _mm512_broadcast_i64x4(_mm256_load_si256(reinterpret_cast<__m256i const*>(rounded)));
  _mm512_storeu_si512(out, _mm512_permutexvar_epi16(_mm512_cvtepu8_epi16(both), table));
}
#endif

#else

using LanesQ4_0 = DecodeQ4_0;
using LanesQ4_1 = DecodeQ4_1;
using LanesQ8_0 = DecodeQ8_0;

#endif

}  // namespace graft::detail
