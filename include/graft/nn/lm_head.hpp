// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/arena.hpp>
#include <graft/backend/concept.hpp>
#include <graft/loss/concept.hpp>
#include <graft/nn/elementwise.hpp>
#include <graft/nn/weight.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace graft {

/// Turns hidden states into token statistics and their gradient back, without ever holding the logits: the vocabulary
/// passes by in panels, with a running softmax as flash attention has over keys. One pass over the panels yields, for
/// each token, the statistics and the rows Σ p·W (and Σ p·l·W for entropy), in which the gradient with respect to the
/// hidden state is linear: so a loss may come later and only scales rows. A trained head takes a second pass for dW.
/// N supervised tokens, C hidden, V vocabulary, P panel.
template <Scalar T, class B>
class LmHead {
 public:
  static constexpr Index panel_rows = 1024;

  /// Holds the weight (V, C) by reference: it may be the embedding's.
  explicit LmHead(Weight<T, B> const& weight) : weight_(&weight) {}

  /// What a forward pass leaves for backward, in the arena.
  struct Pass {
    In<T> hidden;                        // (N, C)
    std::int32_t const* targets = nullptr;  // (N)
    SoftmaxState<T> state;
    Out<T> expected;  // (N, C): Σ_v p_v·W_v
    Out<T> weighted;  // (N, C): Σ_v p_v·l_v·W_v; empty unless asked for
  };

  /// Statistics of every token to `stats` (N); log Σ p² is NaN without `sum_sq_probs`. With `gradient`, the pass keeps what backward needs.
  Pass forward(Workspace<B>& workspace, In<T> hidden, std::int32_t const* targets, bool gradient, bool entropy_gradient,
               std::span<TokenStats> stats, bool sum_sq_probs = false) {
    auto& backend = workspace.backend;
    Index const n = hidden.rows;
    Pass pass{hidden, targets, take_state(workspace, n, sum_sq_probs), {}, {}};
    if (gradient) pass.expected = take_zero(workspace, n, hidden.cols);
    if (gradient && entropy_gradient) pass.weighted = take_zero(workspace, n, hidden.cols);
    auto const device_stats = workspace.template take<T>(n, sum_sq_probs ? 5 : 4);
    {
      auto scope = workspace.arena.scope();
      for_each_panel(workspace, hidden, [&](StoredMatrix words, Index first, Out<T> logits) {
        backend.softmax_panel(logits, targets, first, pass.state);
        if (!gradient) return;
        backend.scale_rows(pass.state.rescale, pass.expected);
        backend.linear_backward_input(logits, words, pass.expected);
        if (!entropy_gradient) return;
        auto inner = workspace.arena.scope();
        auto const weighted = workspace.template take<T>(logits.rows, logits.cols);
        backend.softmax_panel_weighted(logits, pass.state, weighted);
        backend.scale_rows(pass.state.rescale, pass.weighted);
        backend.linear_backward_input(weighted, words, pass.weighted);
      });
    }
    backend.token_stats(pass.state, weight_->rows(), device_stats);
    download(backend, device_stats, stats);
    if (gradient) normalise(backend, pass);
    return pass;
  }

  /// d_hidden (N, C) is overwritten; the weight's gradient += … if it is trained. `stats` are forward's.
  void backward(Workspace<B>& workspace, Pass const& pass, std::span<TokenStats const> stats,
                std::span<TokenStats const> gradient, Out<T> d_hidden) {
    auto scope = workspace.arena.scope();
    auto& backend = workspace.backend;
    Index const n = pass.hidden.rows;
    bool has_mean = false;
    columns_.resize(static_cast<std::size_t>(4 * n));
    for (Index i = 0; i < n; ++i) {
      auto const& g = gradient[static_cast<std::size_t>(i)];
      auto const& s = stats[static_cast<std::size_t>(i)];
      column(0, n)[i] = static_cast<T>(g.target_logprob);
      column(1, n)[i] = static_cast<T>(g.logsumexp - g.target_logprob + g.entropy * (s.logsumexp - s.entropy));
      column(2, n)[i] = static_cast<T>(g.mean_logit);
      column(3, n)[i] = static_cast<T>(-g.entropy);
      has_mean = has_mean || g.mean_logit != 0;
    }
    auto const factors = workspace.template take<T>(4, n);
    backend.upload(columns_.data(), factors.data, columns_.size() * sizeof(T));
    backend.embedding_forward(pass.targets, weight_->stored(), T{1}, d_hidden);  // W[y]
    backend.scale_rows(factors.row(0), d_hidden);
    backend.scale_rows(factors.row(1), pass.expected);
    add(backend, In<T>(pass.expected), d_hidden);
    if (!pass.weighted.empty()) {
      backend.scale_rows(factors.row(3), pass.weighted);
      add(backend, In<T>(pass.weighted), d_hidden);
    }
    if (has_mean)
      backend.gemm(Op::none, Op::none, T{1}, In<T>(factors.row(2), n, 1), mean_word(workspace), T{1}, d_hidden);
    if (weight_->trained()) weight_backward(workspace, pass, gradient);
  }

  /// All logits of `hidden` (n, C), for generation: (n, V) in the caller's scope.
  [[nodiscard]] Out<T> logits(Workspace<B>& workspace, In<T> hidden) {
    auto const result = workspace.template take<T>(hidden.rows, weight_->rows());
    workspace.backend.linear_forward(hidden, weight_->stored(), result);
    return result;
  }

 private:
  T* column(Index c, Index n) { return columns_.data() + c * n; }

  static Out<T> take_zero(Workspace<B>& workspace, Index rows, Index cols) {
    auto const view = workspace.template take<T>(rows, cols);
    set_zero(workspace.backend, view);
    return view;
  }
  static SoftmaxState<T> take_state(Workspace<B>& workspace, Index n, bool squares) {
    auto const rows = workspace.template take<T>(squares ? 7 : 6, n);
    return {rows.row(0), rows.row(1), rows.row(2), rows.row(3), rows.row(4), rows.row(5), n, squares ? rows.row(6) : nullptr};
  }

  /// Calls f(words (p, C), index of the first, logits (N, p)) for every panel.
  template <class F>
  void for_each_panel(Workspace<B>& workspace, In<T> hidden, F&& f) {
    StoredMatrix const all = weight_->stored();
    auto const memory = workspace.template take<T>(hidden.rows, std::min(panel_rows, all.rows));
    for (Index first = 0; first < all.rows; first += panel_rows) {
      StoredMatrix const words = all.rows_between(first, std::min(all.rows, first + panel_rows));
      Out<T> const logits(memory.data, hidden.rows, words.rows);
      workspace.backend.linear_forward(hidden, words, logits);
      f(words, first, logits);
    }
  }

  struct Reciprocal {
    GRAFT_HOST_DEVICE void operator()(T const& x, T& y) const { y = T{1} / x; }
  };
  /// From sums of exp(l - max) to expectations.
  void normalise(B& backend, Pass const& pass) {
    backend.map(pass.state.tokens, Reciprocal{}, static_cast<T const*>(pass.state.sum), pass.state.rescale);
    backend.scale_rows(pass.state.rescale, pass.expected);
    if (!pass.weighted.empty()) backend.scale_rows(pass.state.rescale, pass.weighted);
  }

  /// Σ_v W_v / V, (1, C).
  Out<T> mean_word(Workspace<B>& workspace) {
    StoredMatrix const all = weight_->stored();
    auto const mean = take_zero(workspace, 1, all.cols);
    auto const weight = workspace.template take<T>(1, std::min(panel_rows, all.rows));
    ones_.assign(static_cast<std::size_t>(weight.cols), T{1} / static_cast<T>(all.rows));
    workspace.backend.upload(ones_.data(), weight.data, ones_.size() * sizeof(T));
    for (Index first = 0; first < all.rows; first += panel_rows) {
      StoredMatrix const words = all.rows_between(first, std::min(all.rows, first + panel_rows));
      workspace.backend.linear_backward_input(In<T>(weight.data, 1, words.rows), words, mean);
    }
    return mean;
  }

  void weight_backward(Workspace<B>& workspace, Pass const& pass, std::span<TokenStats const> gradient) {
    auto& backend = workspace.backend;
    Index const n = pass.hidden.rows;
    columns_.clear();
    for (auto const& g : gradient)
      for (double value : {g.target_logprob, g.logsumexp, g.mean_logit, g.entropy}) columns_.push_back(static_cast<T>(value));
    auto const device_gradient = workspace.template take<T>(n, 4);
    backend.upload(columns_.data(), device_gradient.data, columns_.size() * sizeof(T));
    for_each_panel(workspace, pass.hidden, [&](StoredMatrix words, Index first, Out<T> logits) {
      backend.softmax_panel_backward(logits, pass.targets, first, weight_->rows(), pass.state, In<T>(device_gradient));
      backend.gemm(Op::transpose, Op::none, T{1}, In<T>(logits), pass.hidden, T{1},
                   weight_->grad().rows_between(first, first + words.rows));
    });
  }

  void download(B& backend, Out<T> device_stats, std::span<TokenStats> stats) {
    columns_.resize(static_cast<std::size_t>(device_stats.size()));
    backend.download(device_stats.data, columns_.data(), columns_.size() * sizeof(T));
    auto const columns = static_cast<std::size_t>(device_stats.cols);
    for (std::size_t i = 0; i < stats.size(); ++i) {
      T const* const row = &columns_[columns * i];
      stats[i] = {static_cast<double>(row[0]), static_cast<double>(row[1]), static_cast<double>(row[2]), static_cast<double>(row[3]),
                  columns == 5 ? static_cast<double>(row[4]) : std::numeric_limits<double>::quiet_NaN()};
    }
  }

  Weight<T, B> const* weight_;
  std::vector<T> columns_, ones_;
};

}  // namespace graft
