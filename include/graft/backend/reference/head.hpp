// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace graft::detail {

/// `HeadBackend` by its formulas.
struct ReferenceHead {
  /// The panel with first = 0 starts the state, whatever it held.
  template <Scalar T>
  void softmax_panel(Out<T> panel, std::int32_t const* targets, Index first, SoftmaxState<T> state) {
    for (Index t = 0; t < state.tokens; ++t) {
      if (first == 0) {
        state.max[t] = -std::numeric_limits<T>::infinity();
        state.sum[t] = state.weighted[t] = state.total[t] = state.target[t] = T{0};
        if (state.squares != nullptr) state.squares[t] = T{0};
      }
      T* const row = panel.row(t);
      if (Index const target = targets[t] - first; 0 <= target && target < panel.cols) state.target[t] = row[target];
      T const max = std::max(state.max[t], *std::max_element(row, row + panel.cols));
      auto const rescale = std::exp(static_cast<double>(state.max[t]) - static_cast<double>(max));
      double sum = static_cast<double>(state.sum[t]) * rescale, weighted = static_cast<double>(state.weighted[t]) * rescale;
      auto total = static_cast<double>(state.total[t]);
      double squares = state.squares != nullptr ? static_cast<double>(state.squares[t]) * rescale * rescale : 0;
      for (Index c = 0; c < panel.cols; ++c) {
        auto const logit = static_cast<double>(row[c]);
        double const e = std::exp(logit - static_cast<double>(max));
        sum += e;
        weighted += e > 0 ? e * logit : 0;
        total += logit;
        squares += e * e;
        row[c] = static_cast<T>(e);
      }
      state.max[t] = max;
      state.sum[t] = static_cast<T>(sum);
      state.weighted[t] = static_cast<T>(weighted);
      state.total[t] = static_cast<T>(total);
      state.rescale[t] = static_cast<T>(rescale);
      if (state.squares != nullptr) state.squares[t] = static_cast<T>(squares);
    }
  }

  template <Scalar T>
  void softmax_panel_weighted(InArg<T> panel, SoftmaxState<T> state, Out<T> weighted) {
    for (Index t = 0; t < panel.rows; ++t)
      for (Index c = 0; c < panel.cols; ++c) {
        auto const e = static_cast<double>(panel.row(t)[c]);
        weighted.row(t)[c] = e == 0 ? T{0} : static_cast<T>(e * (std::log(e) + static_cast<double>(state.max[t])));
      }
  }

  template <Scalar T>
  void token_stats(SoftmaxState<T> state, Index vocabulary, Out<T> stats) {
    for (Index t = 0; t < state.tokens; ++t) {
      double const logsumexp = static_cast<double>(state.max[t]) + std::log(static_cast<double>(state.sum[t]));
      T* const row = stats.row(t);
      row[0] = static_cast<T>(static_cast<double>(state.target[t]) - logsumexp);
      row[1] = static_cast<T>(logsumexp);
      row[2] = static_cast<T>(static_cast<double>(state.total[t]) / static_cast<double>(vocabulary));
      row[3] = static_cast<T>(logsumexp - static_cast<double>(state.weighted[t]) / static_cast<double>(state.sum[t]));
      if (state.squares != nullptr)
        row[4] = static_cast<T>(std::log(static_cast<double>(state.squares[t])) - 2 * std::log(static_cast<double>(state.sum[t])));
    }
  }

  template <Scalar T>
  void softmax_panel_backward(Out<T> panel, std::int32_t const* targets, Index first, Index vocabulary,
                              SoftmaxState<T> state, InArg<T> grad) {
    for (Index t = 0; t < panel.rows; ++t) {
      double const logsumexp = static_cast<double>(state.max[t]) + std::log(static_cast<double>(state.sum[t]));
      double const mean = static_cast<double>(state.weighted[t]) / static_cast<double>(state.sum[t]);  // Σ p·l
      auto const on_target = static_cast<double>(grad.row(t)[0]), on_logsumexp = static_cast<double>(grad.row(t)[1]);
      auto const on_mean = static_cast<double>(grad.row(t)[2]), on_entropy = static_cast<double>(grad.row(t)[3]);
      for (Index c = 0; c < panel.cols; ++c) {
        auto const logit = static_cast<double>(panel.row(t)[c]);
        double const p = std::exp(logit - logsumexp);
        // log p + entropy = l - Σ p·l
        double slope = (on_logsumexp - on_target) * p + on_mean / static_cast<double>(vocabulary);
        if (p > 0) slope -= on_entropy * p * (logit - mean);
        if (targets[t] == first + c) slope += on_target;
        panel.row(t)[c] = static_cast<T>(slope);
      }
    }
  }
};

}  // namespace graft::detail
