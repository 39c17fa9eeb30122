// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/quant/block_decoders.hpp>
#include <graft/quant/lanes.hpp>

#include <cstddef>
#include <cstdint>

namespace graft::detail {

#if GRAFT_HAS_LANES

/// Block formats whose integers come as lanes: `lanes(block, f)` calls f(lanes, their offset) for the 32 of a block.
struct LanesQ4_0 : DecodeQ4_0 {
  static constexpr bool has_minimum = false;
  template <class F>
  static void lanes(std::byte const* block, F&& f) {
    each_lanes_of_nibbles<8>(block + 2, f);
  }
};

struct LanesQ4_1 : DecodeQ4_1 {
  static constexpr bool has_minimum = true;
  template <class F>
  static void lanes(std::byte const* block, F&& f) {
    each_lanes_of_nibbles<0>(block + 4, f);
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

#else

using LanesQ4_0 = DecodeQ4_0;
using LanesQ4_1 = DecodeQ4_1;
using LanesQ8_0 = DecodeQ8_0;

#endif

}  // namespace graft::detail
