// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/elementwise.hpp>
#include <graft/backend/cpu/exp.hpp>
#include <graft/backend/cpu/log.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace graft::detail {

/// The maximum of `start` and a row. Maxima of strided parts first: clang does not reorder a plain maximum, because of NaN.
template <class T>
[[nodiscard]] T row_max(T const* row, Index n, T start) {
  constexpr Index lanes = 32;
  T max[lanes];
  std::fill_n(max, lanes, start);
  Index const whole = n / lanes * lanes;
  for (Index c = 0; c < whole; c += lanes)
    for (Index l = 0; l < lanes; ++l) max[l] = row[c + l] > max[l] ? row[c + l] : max[l];
  for (Index c = whole; c < n; ++c) max[c - whole] = row[c] > max[c - whole] ? row[c] : max[c - whole];
  for (Index half = lanes / 2; half > 0; half /= 2)  // one after the other they would cost as much as a row's exponentials
    for (Index l = 0; l < half; ++l) max[l] = max[l + half] > max[l] ? max[l + half] : max[l];
  return max[0];
}

/// Σ x² of a row.
template <class T>
[[nodiscard]] T sum_of_squares(T const* row, Index n) {
  T sum = 0;
  GRAFT_SIMD_SUM(sum)
  for (Index c = 0; c < n; ++c) sum += row[c] * row[c];
  return sum;
}

/// The language-model head by vocabulary panels: an online softmax (Milakov, Gimelshein, "Online normalizer calculation
/// for softmax", 2018) that also keeps what mean logit and entropy need. Entropy = lse - Σ p·l.
struct CpuSoftmaxPanel {
  /// The panel with first = 0 starts the state, whatever it held.
  template <Scalar T>
  void softmax_panel(Out<T> panel, std::int32_t const* targets, Index first, SoftmaxState<T> state) {
    assert(panel.rows == state.tokens);
    parallel_row_blocks(panel.rows, panel.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T* const row = panel.row(t);
        bool const start = first == 0;
        if (start) state.target[t] = T{0};
        if (Index const target = targets[t] - first; 0 <= target && target < panel.cols) state.target[t] = row[target];
        T const old = start ? -std::numeric_limits<T>::infinity() : state.max[t];
        T const max = row_max(row, panel.cols, old);
        T sum = 0, weighted = 0, total = 0;
        GRAFT_SIMD_SUM(sum, weighted, total)
        for (Index c = 0; c < panel.cols; ++c) {
          T const logit = row[c], e = fast_exp(logit - max);
          sum += e;
          weighted += e * logit;
          total += logit;
          row[c] = e;
        }
        T const rescale = start ? T{0} : fast_exp(old - max);
        if (state.squares != nullptr) state.squares[t] = sum_of_squares(row, panel.cols) + (start ? T{0} : state.squares[t] * rescale * rescale);
        state.max[t] = max;
        state.sum[t] = start ? sum : state.sum[t] * rescale + sum;
        state.weighted[t] = start ? weighted : state.weighted[t] * rescale + weighted;
        state.total[t] = start ? total : state.total[t] + total;
        state.rescale[t] = rescale;
      }
    });
  }

  template <Scalar T>
  void softmax_panel_weighted(InArg<T> panel, SoftmaxState<T> state, Out<T> weighted) {
    parallel_row_blocks(panel.rows, panel.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T const* const e = panel.row(t);
        T* const out = weighted.row(t);
        T const max = state.max[t];
        for (Index c = 0; c < panel.cols; ++c) out[c] = e[c] * (fast_log(e[c]) + max);
      }
    });
  }

  template <Scalar T>
  void token_stats(SoftmaxState<T> state, Index vocabulary, Out<T> stats) {
    assert(stats.rows == state.tokens);
    assert(stats.rows == 0 || stats.cols == (state.squares != nullptr ? 5 : 4));
    parallel_row_blocks(state.tokens, 100, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T const logsumexp = state.max[t] + std::log(state.sum[t]);
        T* const row = stats.row(t);
        row[0] = state.target[t] - logsumexp;
        row[1] = logsumexp;
        row[2] = state.total[t] / static_cast<T>(vocabulary);
        row[3] = logsumexp - state.weighted[t] / state.sum[t];
        if (state.squares != nullptr) row[4] = std::log(state.squares[t]) - 2 * std::log(state.sum[t]);
      }
    });
  }

  template <Scalar T>
  void softmax_panel_backward(Out<T> panel, std::int32_t const* targets, Index first, Index vocabulary,
                              SoftmaxState<T> state, InArg<T> grad) {
    assert(panel.rows == state.tokens && grad.rows == state.tokens && grad.cols == 4);
    parallel_row_blocks(panel.rows, panel.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T* const row = panel.row(t);
        T const* const g = grad.row(t);
        // With q = e^(l - max) and p = q/sum: (g_lse - g_target)·p + g_mean/V - g_entropy·p·(l - Σ p·l)
        T const max = state.max[t], mean = state.weighted[t] / state.sum[t];
        T const on_p = (g[1] - g[0]) / state.sum[t], on_all = g[2] / static_cast<T>(vocabulary);
        T const on_entropy = g[3] / state.sum[t];
        GRAFT_SIMD
        for (Index c = 0; c < panel.cols; ++c)
          row[c] = fast_exp(row[c] - max) * (on_p - on_entropy * (row[c] - mean)) + on_all;
        if (Index const target = targets[t] - first; 0 <= target && target < panel.cols) row[target] += g[0];
      }
    });
  }
};

}  // namespace graft::detail
