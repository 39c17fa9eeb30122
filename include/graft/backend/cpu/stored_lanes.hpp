// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/lanes.hpp>
#include <graft/core/view.hpp>
#include <graft/quant/decode.hpp>

#include <algorithm>
#include <type_traits>

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

/// One row, decoded: the same bits as `decode_row`'s, since a half times a small integer is exact.
template <class Format, class E>
void decode_blocks_by_lanes(std::byte const* row, Index cols, E* out) {
  for (Index c = 0; c < cols; c += Format::elements, row += Format::bytes) {
    prefetch_weights(row);
    TwoHalves const scales(row);
    Lanes const scale = Lanes::all(scales.first());
    if constexpr (Format::has_minimum) {
      Lanes const minimum = Lanes::all(scales.second());
      Format::lanes(row, [&](Lanes q, Index offset) { Lanes::fused(scale, q, minimum).store(out + c + offset); });
    } else {
      Format::lanes(row, [&](Lanes q, Index offset) { (scale * q).store(out + c + offset); });
    }
  }
}

/// One row of whatever format without scales apart, rounded to bf16: a piece at a time by way of floats in the first cache.
inline void decode_row_by_floats(StoredMatrix const& w, Index r, bf16* out) {
  constexpr Index piece = 1024;  // whole blocks of every format
  float floats[piece];
  for (Index c = 0; c < w.cols; c += piece) {
    Index const count = std::min(piece, w.cols - c);
    decode_row(w.storage, w.row(r) + row_bytes(w.storage, c), count, floats);
    Index j = 0;
    for (; j + Lanes::width <= count; j += Lanes::width) Lanes::load(floats + j).store(out + c + j);
    for (; j < count; ++j) out[c + j] = to_bf16(floats[j]);
  }
}

#endif

/// `decode_rows`, with lanes for the formats that have them.
template <DecodeTarget E>
void decode_rows_quickly(StoredMatrix const& w, Index begin, Index end, Out<E> out) {
#if GRAFT_HAS_LANES
  if constexpr (std::is_same_v<E, float> || std::is_same_v<E, bf16>) {
    auto const each_row = [&](auto format) {
      for (Index r = begin; r < end; ++r) decode_blocks_by_lanes<decltype(format)>(w.row(r), w.cols, out.row(r - begin));
    };
    switch (w.storage) {
      case Storage::q4_0: return each_row(LanesQ4_0{});
      case Storage::q4_1: return each_row(LanesQ4_1{});
      case Storage::q8_0: return each_row(LanesQ8_0{});
      default: break;
    }
  }
  if constexpr (std::is_same_v<E, bf16>)
    if (w.storage != Storage::bf16 && !has_scales(w.storage)) {
      for (Index r = begin; r < end; ++r) decode_row_by_floats(w, r, out.row(r - begin));
      return;
    }
#endif
  decode_rows(w, begin, end, out);
}

}  // namespace graft::detail
