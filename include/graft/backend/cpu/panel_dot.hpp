// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/quant/lanes.hpp>
#include <graft/core/view.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>

namespace graft::detail {

#if GRAFT_HAS_LANES

/// y[t][r] = Σ_c x[t][c]·w[r][c] for R rows of w and N tokens: R·N running sums in registers, so that what is loaded is
/// used N or R times.
template <Index N, Index R>
void dot_tile(In<float> x, In<float> w, Out<float> y) {
  Index const cols = x.cols, whole = cols / Lanes::width * Lanes::width;
  constexpr auto count = static_cast<std::size_t>(N * R);
  Lanes sums[count];
  for (auto& sum : sums) sum = Lanes::zero();
  for (Index c = 0; c < whole; c += Lanes::width) {
    Lanes weights[static_cast<std::size_t>(R)];
    for (Index r = 0; r < R; ++r) weights[r] = Lanes::load(w.row(r) + c);
    for (Index t = 0; t < N; ++t) {
      Lanes const token = Lanes::load(x.row(t) + c);
      for (Index r = 0; r < R; ++r) sums[t * R + r] = Lanes::fused(token, weights[r], sums[t * R + r]);
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
        for (Index c = whole; c < cols; ++c) totals[t * R + r] += x.row(t)[c] * w.row(r)[c];
  for (Index t = 0; t < N; ++t) std::memcpy(y.row(t), totals + t * R, static_cast<std::size_t>(R) * sizeof(float));
}

/// y = x·wᵀ for a few tokens and a panel of rows that lies in a cache.
inline void panel_dot(In<float> x, In<float> w, Out<float> y) {
  assert(y.rows == x.rows && y.cols == w.rows && x.cols == w.cols);
  constexpr Index tokens = 4, rows = 4;
  auto const tile = [&]<Index N, Index R>(Index t, Index r) {
    dot_tile<N, R>(x.rows_between(t, t + N), w.rows_between(r, r + R), y.rows_between(t, t + N).cols_between(r, r + R));
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
