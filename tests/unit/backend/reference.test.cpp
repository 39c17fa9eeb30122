// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/reference.hpp>

#include "support/backend_agreement.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

namespace graft::test {

using Matrix = HostMatrix<double>;
using Matrices = std::vector<Matrix>;

inline Out<double> view(Matrix& m) { return {m.values.data(), m.rows, m.cols, m.stride}; }
inline In<double> view(Matrix const& m) { return {m.values.data(), m.rows, m.cols, m.stride}; }

/// The largest relative difference between `analytic` (the gradients of Σ weight∘f(x) with respect to every x) and
/// five-point central differences.
inline double gradient_deviation(Matrices x, std::function<Matrix(Matrices const&)> const& f, Matrix const& weight,
                                 Matrices const& analytic) {
  auto const loss = [&] {
    Matrix const y = f(x);
    double sum = 0;
    for (std::size_t i = 0; i < y.values.size(); ++i) sum += y.values[i] * weight.values[i];
    return sum;
  };
  double largest = 0;
  constexpr double h = 1e-3;
  for (std::size_t m = 0; m < x.size(); ++m)
    for (std::size_t i = 0; i < x[m].values.size(); ++i) {
      double& value = x[m].values[i];
      double const old = value;
      auto const at = [&](double offset) {
        value = old + offset;
        return loss();
      };
      double const numeric = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h);
      value = old;
      double const exact = analytic[m].values[i];
      largest = std::max(largest, std::abs(numeric - exact) / std::max({std::abs(exact), std::abs(numeric), 1e-2}));
    }
  return largest;
}

inline Matrix zeros(Matrix const& like) { return Matrix::filled(like.rows, like.cols, 0.0); }

TEST_CASE("reference: norm gradients are those of central differences, and add up") {
  Reference b;
  Rng rng(1);
  Matrices const x{Matrix::random(3, 7, rng), Matrix::random(1, 7, rng), Matrix::random(1, 7, rng)};
  Matrix const dy = Matrix::random(3, 7, rng);
  auto const rms = [&](Matrices const& in) {
    Matrix y = zeros(dy);
    b.rms_norm_forward(view(in[0]), view(in[1]), 1e-3, view(y));
    return y;
  };
  auto const layer = [&](Matrices const& in) {
    Matrix y = zeros(dy);
    b.layer_norm_forward(view(in[0]), view(in[1]), view(in[2]), 1e-3, view(y));
    return y;
  };
  Matrices grad{zeros(x[0]), zeros(x[1]), zeros(x[2])};
  b.rms_norm_backward(view(x[0]), view(x[1]), 1e-3, view(dy), view(grad[0]), view(grad[1]));
  CHECK(gradient_deviation({x[0], x[1]}, rms, dy, grad) < 1e-7);
  Matrices const once = grad;
  b.rms_norm_backward(view(x[0]), view(x[1]), 1e-3, view(dy), view(grad[0]), view(grad[1]));
  for (std::size_t m = 0; m < 2; ++m)
    for (std::size_t i = 0; i < grad[m].values.size(); ++i)
      CHECK(grad[m].values[i] == doctest::Approx(2 * once[m].values[i]).epsilon(1e-12));

  grad = {zeros(x[0]), zeros(x[1]), zeros(x[2])};
  b.layer_norm_backward(view(x[0]), view(x[1]), 1e-3, view(dy), view(grad[0]), view(grad[1]), view(grad[2]));
  CHECK(gradient_deviation(x, layer, dy, grad) < 1e-7);
}

TEST_CASE("reference: gated gradients are those of central differences for both activations") {
  Reference b;
  Rng rng(2);
  Matrices const x{Matrix::random(4, 9, rng, 2), Matrix::random(4, 9, rng)};
  Matrix const dh = Matrix::random(4, 9, rng);
  for (Activation const act : {Activation::silu, Activation::gelu_tanh}) {
    Matrices grad{zeros(x[0]), zeros(x[1])};
    b.gated_backward(act, view(x[0]), view(x[1]), view(dh), view(grad[0]), view(grad[1]));
    CHECK(gradient_deviation(
              x,
              [&](Matrices const& in) {
                Matrix h = zeros(dh);
                b.gated_forward(act, view(in[0]), view(in[1]), view(h));
                return h;
              },
              dh, grad) < 1e-7);
    Matrices alone{zeros(x[0])};
    b.gated_backward(act, view(x[0]), {}, view(dh), view(alone[0]), {});
    CHECK(gradient_deviation(
              {x[0]},
              [&](Matrices const& in) {
                Matrix h = zeros(dh);
                b.gated_forward(act, view(in[0]), {}, view(h));
                return h;
              },
              dh, alone) < 1e-7);
  }
}

TEST_CASE("reference: inverse rope is the transpose of rope, and undoes it at factor 1") {
  Reference b;
  Rng rng(3);
  std::int32_t const positions[] = {0, 5, 1000};
  double const frequencies[] = {1, 0.1, 0.01};
  for (double const factor : {1.0, 1.5}) {
    Matrix cos = Matrix::filled(3, 3, 0.0), sin = cos;
    b.rope_tables(positions, frequencies, factor, view(cos), view(sin));
    Matrix const x = Matrix::random(3, 16, rng), dy = Matrix::random(3, 16, rng);  // 2 heads of 8, 6 of them turned
    auto const forward = [&](Matrices const& in) {
      Matrix y = in[0];
      b.rope(view(y), 2, view(cos), view(sin), false);
      return y;
    };
    Matrix dx = dy;
    b.rope(view(dx), 2, view(cos), view(sin), true);
    CHECK(gradient_deviation({x}, forward, dy, {dx}) < 1e-8);
    Matrix back = forward({x});
    b.rope(view(back), 2, view(cos), view(sin), true);
    if (factor == 1.0) CHECK(deviation(back.values, x.values) < 1e-14);
  }
}

TEST_CASE("reference: embedding, bias and linear gradients are those of central differences") {
  Reference b;
  Rng rng(4);
  std::int32_t const ids[] = {2, 0, 2, 1};
  Matrix const dx = Matrix::random(4, 5, rng);
  auto const stored = [](Matrix const& m) {
    return StoredMatrix{Storage::f64, reinterpret_cast<std::byte const*>(m.values.data()), m.rows, m.cols};
  };
  Matrix const table = Matrix::random(3, 5, rng);
  Matrix dtable = zeros(table);
  b.embedding_backward(ids, view(dx), 0.7, view(dtable));
  CHECK(gradient_deviation(
            {table},
            [&](Matrices const& in) {
              Matrix x = zeros(dx);
              b.embedding_forward(ids, stored(in[0]), 0.7, view(x));
              return x;
            },
            dx, {dtable}) < 1e-8);

  Matrices const x{Matrix::random(4, 6, rng), Matrix::random(1, 5, rng)};
  Matrix const w = Matrix::random(5, 6, rng);
  Matrices grad{zeros(x[0]), zeros(x[1])};
  b.linear_backward_input(view(dx), stored(w), view(grad[0]));
  b.sum_rows(view(dx), view(grad[1]));
  CHECK(gradient_deviation(
            x,
            [&](Matrices const& in) {
              Matrix y = zeros(dx);
              b.linear_forward(view(in[0]), stored(w), view(y));
              b.add_bias(view(in[1]), view(y));
              return y;
            },
            dx, grad) < 1e-8);
}

TEST_CASE("reference: attention gradients are those of central differences") {
  Reference b;
  Rng rng(5);
  std::vector<std::int32_t> const cu{0, 4, 4, 5, 11};
  std::vector<std::int32_t> const none{}, shared{0, 4, 3, 1}, two{0, 2, 0, 1};
  for (auto const* prefix : {&none, &shared, &two})
    for (auto const& [kv_heads, window] : {std::pair{1, 0}, {1, 3}, {2, 0}, {2, 1}, {2, 3}, {4, 0}, {4, 1}}) {
      PackedSequences const packed(cu, *prefix);
      AttentionShape const shape{4, kv_heads, 3, 0.6, window};
      Matrices const x{Matrix::random(11, 12, rng), Matrix::random(11, 3 * kv_heads, rng), Matrix::random(11, 3 * kv_heads, rng)};
      Matrix const d_o = Matrix::random(11, 12, rng);
      Matrix o = zeros(d_o), lse = Matrix::filled(11, 4, 0.0);
      b.attention_forward(view(x[0]), view(x[1]), view(x[2]), shape, packed, view(o), view(lse));
      Matrices grad{zeros(x[0]), zeros(x[1]), zeros(x[2])};
      std::fill(grad[0].values.begin(), grad[0].values.end(), 9.0);  // overwritten
      Matrix const& out = o;
      Matrix const& sums = lse;
      b.attention_backward(view(x[0]), view(x[1]), view(x[2]), view(out), view(sums), view(d_o), shape, packed, view(grad[0]),
                           view(grad[1]), view(grad[2]));
      CHECK(gradient_deviation(
                x,
                [&](Matrices const& in) {
                  Matrix y = zeros(d_o), ignored = lse;
                  b.attention_forward(view(in[0]), view(in[1]), view(in[2]), shape, packed, view(y), view(ignored));
                  return y;
                },
                d_o, grad) < 1e-7);
    }
}

TEST_CASE("reference: head statistics are their definitions, and their gradient is that of central differences") {
  Reference b;
  Rng rng(6);
  std::int32_t const targets[] = {0, 6, 3};
  Index const tokens = 3, vocabulary = 7;
  Matrix const logits = Matrix::random(tokens, vocabulary, rng, 2);
  Matrix state = Matrix::filled(6, tokens, 0.0);
  SoftmaxState<double> const at{view(state).row(0), view(state).row(1), view(state).row(2),
                                view(state).row(3), view(state).row(4), view(state).row(5), tokens};
  auto const stats_of = [&](Matrices const& in) {  // panels of 3 and 4 words
    Matrix copy = in[0], stats = Matrix::filled(tokens, 4, 0.0);
    b.softmax_panel(view(copy).cols_between(0, 3), targets, 0, at);
    b.softmax_panel(view(copy).cols_between(3, 7), targets, 3, at);
    b.token_stats(at, vocabulary, view(stats));
    return stats;
  };
  Matrix const stats = stats_of({logits});
  for (std::size_t t = 0; t < 3; ++t) {
    double const* const l = logits.values.data() + 7 * t;
    double sum = 0, total = 0, entropy = 0;
    for (int v = 0; v < 7; ++v) sum += std::exp(l[v]), total += l[v];
    for (int v = 0; v < 7; ++v) entropy -= std::exp(l[v]) / sum * std::log(std::exp(l[v]) / sum);
    CHECK(stats.values[4 * t + 0] == doctest::Approx(l[targets[t]] - std::log(sum)).epsilon(1e-12));
    CHECK(stats.values[4 * t + 1] == doctest::Approx(std::log(sum)).epsilon(1e-12));
    CHECK(stats.values[4 * t + 2] == doctest::Approx(total / 7).epsilon(1e-12));
    CHECK(stats.values[4 * t + 3] == doctest::Approx(entropy).epsilon(1e-12));
  }
  Matrix const weight = Matrix::random(tokens, 4, rng);
  Matrix gradient = logits;
  b.softmax_panel_backward(view(gradient).cols_between(0, 3), targets, 0, vocabulary, at, view(weight));
  b.softmax_panel_backward(view(gradient).cols_between(3, 7), targets, 3, vocabulary, at, view(weight));
  CHECK(gradient_deviation({logits}, stats_of, weight, {gradient}) < 1e-7);

  SoftmaxState<double> with_squares = at;
  Matrix squares = Matrix::filled(1, tokens, 99.0), copy = logits, more = Matrix::filled(tokens, 5, 0.0);
  with_squares.squares = view(squares).row(0);
  b.softmax_panel(view(copy).cols_between(0, 3), targets, 0, with_squares);
  b.softmax_panel(view(copy).cols_between(3, 7), targets, 3, with_squares);
  b.token_stats(with_squares, vocabulary, view(more));
  for (std::size_t t = 0; t < 3; ++t) {
    double const* const l = logits.values.data() + 7 * t;
    double expected = 0;
    for (int v = 0; v < 7; ++v) expected += std::exp(2 * (l[v] - stats.values[4 * t + 1]));
    CHECK(more.values[5 * t + 4] == doctest::Approx(std::log(expected)).epsilon(1e-12));
    for (std::size_t c = 0; c < 4; ++c) CHECK(more.values[5 * t + c] == stats.values[4 * t + c]);
  }
}

TEST_CASE("reference: cached attention of all rows is packed attention") {
  Reference b;
  Rng rng(7);
  AttentionShape const shape{4, 2, 3, 0.6, 5};
  Matrix const q = Matrix::random(9, 12, rng), k = Matrix::random(9, 6, rng), v = Matrix::random(9, 6, rng);
  Matrix packed = zeros(q), cached = zeros(q), lse = Matrix::filled(9, 4, 0.0);
  std::vector<std::int32_t> const cu{0, 9};
  b.attention_forward(view(q), view(k), view(v), shape, cu, view(packed), view(lse));
  std::vector<CachedSequence<double>> const sequences{{0, 9, 9, k.values.data(), v.values.data()}};
  b.attention_cached(view(q), shape, std::span<CachedSequence<double> const>(sequences), view(cached));
  CHECK(deviation(cached.values, packed.values) < 1e-14);
}

}  // namespace graft::test
