// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/quant/stored_lanes.hpp>
#include <graft/core/view.hpp>
#include <graft/quant/decode.hpp>

#include <cassert>
#include <cstdint>

namespace graft::detail {

/// Products of one weight row with a few tokens, for generation: a block is widened in registers and multiplied at once,
/// so the weights pass by at the speed of memory and no panel is written. With q the block's integers and d, m its scale
/// and minimum, Σ (d·q + m)·x = d·Σ q·x + m·Σ x; the Σ x of each block come from outside, once for all rows.
inline constexpr Index most_dot_tokens = 4;
inline constexpr Index dot_block = 32;

#if GRAFT_HAS_LANES

/// sums[t][b] = Σ of x[t] over block b.
inline void sum_blocks(In<float> x, float* sums) {
  for (Index t = 0; t < x.rows; ++t)
    for (Index c = 0; c < x.cols; c += dot_block) {
      Lanes sum = Lanes::zero();
      for (Index j = 0; j < dot_block; j += Lanes::width) sum = sum + Lanes::load(x.row(t) + c + j);
      *sums++ = sum.sum();
    }
}

template <class Format, Index Tokens>
void dot_blocks(std::byte const* row, In<float> x, float const* sums, float* y, Index y_stride) {
  Index const blocks = x.cols / dot_block;
  Lanes total[static_cast<std::size_t>(Tokens)];
  float base[static_cast<std::size_t>(Tokens)] = {};
  for (Index t = 0; t < Tokens; ++t) total[t] = Lanes::zero();
  for (Index b = 0; b < blocks; ++b, row += Format::bytes) {
    prefetch_weights(row);
    TwoHalves const scales(row);
    Lanes sum[static_cast<std::size_t>(Tokens)];
    for (Index t = 0; t < Tokens; ++t) sum[t] = Lanes::zero();
    Format::lanes(row, [&](Lanes weights, Index offset) {
      for (Index t = 0; t < Tokens; ++t)
        sum[t] = Lanes::fused(weights, Lanes::load(x.row(t) + b * dot_block + offset), sum[t]);
    });
    Lanes const scale = Lanes::all(scales.first());
    for (Index t = 0; t < Tokens; ++t) {
      total[t] = Lanes::fused(scale, sum[t], total[t]);
      if constexpr (Format::has_minimum) base[t] += scales.second() * sums[t * blocks + b];
    }
  }
  for (Index t = 0; t < Tokens; ++t) y[t * y_stride] = total[t].sum() + base[t];
}

/// The same for rows of float, or for one that was decoded to them.
template <Index Tokens>
void dot_floats(float const* row, In<float> x, float* y, Index y_stride) {
  Lanes total[static_cast<std::size_t>(Tokens)];
  for (Index t = 0; t < Tokens; ++t) total[t] = Lanes::zero();
  Index c = 0;
  for (; c + Lanes::width <= x.cols; c += Lanes::width) {
    Lanes const weights = Lanes::load(row + c);
    for (Index t = 0; t < Tokens; ++t) total[t] = Lanes::fused(weights, Lanes::load(x.row(t) + c), total[t]);
  }
  for (Index t = 0; t < Tokens; ++t) {
    float rest = 0;
    for (Index j = c; j < x.cols; ++j) rest += row[j] * x.row(t)[j];
    y[t * y_stride] = total[t].sum() + rest;
  }
}

/// The row of w where it lies, if it can be read as floats there, else a copy of it, decoded, in `decoded`.
inline float const* floats_of(StoredMatrix const& w, Index r, float* decoded) {
  std::byte const* const row = w.row(r);
  if (w.storage == Storage::f32 && reinterpret_cast<std::uintptr_t>(row) % alignof(float) == 0)
    return reinterpret_cast<float const*>(row);
  decode_row(w.storage, row, w.cols, decoded);
  return decoded;
}

/// y[t][r - begin] = Σ_c x[t][c]·w[r][c] for the rows [begin, end) of w. `sums` are `sum_blocks`'; `decoded` is scratch for
/// one row.
template <Index Tokens>
void dot_rows(StoredMatrix const& w, Index begin, Index end, In<float> x, float const* sums, float* decoded, Out<float> y) {
  assert(x.rows == Tokens && y.rows == Tokens && y.cols == end - begin);
  for (Index r = begin; r < end; ++r) {
    float* const out = y.data + (r - begin);
    switch (w.storage) {
      case Storage::q4_0: dot_blocks<LanesQ4_0, Tokens>(w.row(r), x, sums, out, y.stride); break;
      case Storage::q4_1: dot_blocks<LanesQ4_1, Tokens>(w.row(r), x, sums, out, y.stride); break;
      case Storage::q8_0: dot_blocks<LanesQ8_0, Tokens>(w.row(r), x, sums, out, y.stride); break;
      default: dot_floats<Tokens>(floats_of(w, r, decoded), x, out, y.stride);
    }
  }
}

inline void dot_rows(StoredMatrix const& w, Index begin, Index end, In<float> x, float const* sums, float* decoded, Out<float> y) {
  switch (x.rows) {
    case 1: return dot_rows<1>(w, begin, end, x, sums, decoded, y);
    case 2: return dot_rows<2>(w, begin, end, x, sums, decoded, y);
    case 3: return dot_rows<3>(w, begin, end, x, sums, decoded, y);
    default: return dot_rows<4>(w, begin, end, x, sums, decoded, y);
  }
}

#endif

}  // namespace graft::detail
