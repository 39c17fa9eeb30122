// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/bf16_pairs.hpp>
#include <graft/core/view.hpp>
#include <graft/quant/lanes.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>

namespace graft::detail {

#if GRAFT_HAS_LANES

/// What a running sum takes of a row at a time, and how it multiplies it.
template <class E>
struct DotElements;

template <>
struct DotElements<float> {
  static constexpr Index width = Lanes::width;
  static Lanes load(float const* from) { return Lanes::load(from); }
  static float one(float x) { return x; }
  static Lanes fused(Lanes a, Lanes b, Lanes sum) { return Lanes::fused(a, b, sum); }
};

#if GRAFT_HAS_BF16_LANES
/// Products of pairs, summed in float.
template <>
struct DotElements<bf16> {
  static constexpr Index width = 2 * Lanes::width;
  static __m512i load(bf16 const* from) { return _mm512_loadu_si512(from); }
  static float one(bf16 x) { return to_float(x); }
  static Lanes fused(__m512i a, __m512i b, Lanes sum) {
    return {_mm512_dpbf16_ps(sum.values, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b))};
  }
};
#endif

/// y[t][r] = Σ_c x[t][c]·w[r][c] for R rows of w and N tokens: R·N running sums in registers, so that what is loaded is
/// used N or R times.
template <Index N, Index R, class E>
void dot_tile(In<E> x, In<E> w, Out<float> y) {
  using Elements = DotElements<E>;
  Index const cols = x.cols, whole = cols / Elements::width * Elements::width;
  constexpr auto count = static_cast<std::size_t>(N * R);
  Lanes sums[count];
#pragma GCC unroll 16
  for (auto& sum : sums) sum = Lanes::zero();  // unrolled: else a memset of memory
  for (Index c = 0; c < whole; c += Elements::width) {
    decltype(Elements::load(nullptr)) weights[static_cast<std::size_t>(R)];
    for (Index r = 0; r < R; ++r) weights[r] = Elements::load(w.row(r) + c);
    for (Index t = 0; t < N; ++t) {
      auto const token = Elements::load(x.row(t) + c);
      for (Index r = 0; r < R; ++r) sums[t * R + r] = Elements::fused(token, weights[r], sums[t * R + r]);
    }
  }
  float totals[count];
  if constexpr (count == 16)
    sum_sixteen(sums, totals);
  else
    for (std::size_t i = 0; i < count; ++i) totals[i] = sums[i].sum();
  if (whole < cols)
    for (Index t = 0; t < N; ++t)
      for (Index r = 0; r < R; ++r)
        for (Index c = whole; c < cols; ++c) totals[t * R + r] += Elements::one(x.row(t)[c]) * Elements::one(w.row(r)[c]);
  for (Index t = 0; t < N; ++t) std::memcpy(y.row(t), totals + t * R, static_cast<std::size_t>(R) * sizeof(float));
}

/// y = x·wᵀ for a few tokens and a panel of rows that lies in a cache.
template <class E>
void panel_dot(In<E> x, In<E> w, Out<float> y) {
  assert(y.rows == x.rows && y.cols == w.rows && x.cols == w.cols);
  constexpr Index tokens = 4, rows = 4;
  auto const tile = [&]<Index N, Index R>(Index t, Index r) {
    dot_tile<N, R, E>(x.rows_between(t, t + N), w.rows_between(r, r + R), y.rows_between(t, t + N).cols_between(r, r + R));
  };
  Index r = 0;
  for (; r + rows <= w.rows; r += rows) {
    Index t = 0;
    for (; t + tokens <= x.rows; t += tokens) tile.template operator()<tokens, rows>(t, r);
    for (; t < x.rows; ++t) tile.template operator()<1, rows>(t, r);
  }
  for (; r < w.rows; ++r)
    for (Index t = 0; t < x.rows; ++t) tile.template operator()<1, 1>(t, r);
}

#endif

}  // namespace graft::detail
