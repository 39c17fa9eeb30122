// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/lm_head.hpp>

#include <graft/backend/reference.hpp>

#include <support/gradcheck.hpp>
#include <support/loss_check.hpp>
#include <support/matrix.hpp>
#include <support/plain_modules.hpp>
#include <support/stored_weights.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

/// A head of `vocabulary` words over states of `width`, and N states with their targets.
struct Case {
  Case(Index vocabulary, Index width, std::vector<std::int32_t> ids, bool trained, double spread = 1)
      : words(Matrix::random(vocabulary, width, rng, spread)),
        hidden(Matrix::random(static_cast<Index>(ids.size()), width, rng)),
        targets(std::move(ids)),
        weight(backend, "lm_head.weight",
               {Storage::f64, {vocabulary, width}, reinterpret_cast<std::byte const*>(words.values.data()), nullptr}, trained),
        head(weight),
        stats(targets.size()) {}

  LmHead<double, Reference>::Pass forward(bool gradient, bool entropy, bool sum_sq_probs = false) {
    arena.release(0);
    return head.forward(workspace, hidden.view(), targets.data(), gradient, entropy, stats, sum_sq_probs);
  }
  /// Different gradients for every token and statistic.
  [[nodiscard]] std::vector<TokenStats> random_gradient(bool entropy, bool mean) {
    std::vector<TokenStats> gradient;
    for (std::size_t i = 0; i < targets.size(); ++i)
      gradient.push_back({rng.normal(), rng.normal(), mean ? rng.normal() : 0, entropy ? rng.normal() : 0});
    return gradient;
  }
  /// d/d logits of Σ ⟨gradient, stats⟩, from whole rows of logits.
  [[nodiscard]] Matrix logit_gradient(std::vector<TokenStats> const& gradient) const {
    Matrix const logits = test::plain_linear(hidden, words);
    Matrix d(logits.rows, logits.cols);
    for (Index n = 0; n < logits.rows; ++n)
      test::chain_to_logits({&logits.values[static_cast<std::size_t>(n * logits.cols)], static_cast<std::size_t>(logits.cols)},
                            targets[static_cast<std::size_t>(n)], gradient[static_cast<std::size_t>(n)], {&d(n, 0), static_cast<std::size_t>(d.cols)});
    return d;
  }

  Rng rng{12};
  Reference backend;
  Matrix words, hidden;
  std::vector<std::int32_t> targets;
  Weight<double, Reference> weight;
  LmHead<double, Reference> head;
  std::vector<TokenStats> stats;
  Arena<Reference> arena{backend, std::size_t{1} << 20};
  Workspace<Reference> workspace{backend, arena};
};

/// dᵀ·hidden (V, C), and d·words (N, C) by the transposes of both.
Matrix transposed(Matrix const& m) {
  Matrix t(m.cols, m.rows);
  for (Index r = 0; r < m.rows; ++r)
    for (Index c = 0; c < m.cols; ++c) t(c, r) = m(r, c);
  return t;
}

constexpr Index panel = LmHead<double, Reference>::panel_rows;

}  // namespace

TEST_CASE("lm_head: statistics equal a whole softmax, for one panel, an exact panel, one word more, and several panels") {
  for (Index const vocabulary : {Index{5}, panel, panel + 1, 2 * panel + 300}) {
    CAPTURE(vocabulary);
    auto const last = static_cast<std::int32_t>(vocabulary - 1);
    for (double const spread : {1.0, 400.0}) {  // the latter: exp would overflow without the running maximum
      Case one(vocabulary, 3, {0, last, last / 2, 2}, false, spread);
      auto const pass = one.forward(false, false);
      CHECK(pass.expected.empty());
      CHECK(pass.weighted.empty());
      Matrix const logits = test::plain_linear(one.hidden, one.words);
      for (std::size_t n = 0; n < one.targets.size(); ++n) {
        auto const expected = test::token_stats({&logits.values[n * static_cast<std::size_t>(vocabulary)], static_cast<std::size_t>(vocabulary)}, one.targets[n]);
        CHECK(one.stats[n].target_logprob == doctest::Approx(expected.target_logprob).epsilon(1e-12));
        CHECK(one.stats[n].logsumexp == doctest::Approx(expected.logsumexp).epsilon(1e-12));
        CHECK(one.stats[n].mean_logit == doctest::Approx(expected.mean_logit).epsilon(1e-10));
        CHECK(std::abs(one.stats[n].entropy - expected.entropy) <= 1e-10 * (1 + std::abs(expected.logsumexp)));
        CHECK(std::isnan(one.stats[n].log_sum_sq_probs));  // nobody asked
      }
    }
  }
}

TEST_CASE("lm_head: the sum of squared probabilities equals plain loops, and asking for it changes nothing else") {
  for (Index const vocabulary : {Index{5}, panel, panel + 1, 2 * panel + 300})
    for (double const spread : {0.0, 1.0, 400.0}) {  // equal words; any; one certain word
      CAPTURE(vocabulary);
      CAPTURE(spread);
      auto const last = static_cast<std::int32_t>(vocabulary - 1);
      Case one(vocabulary, 3, {0, last, last / 2, 2}, false, spread);
      one.forward(true, true);
      auto const without = one.stats;
      one.forward(true, true, true);
      Matrix const logits = test::plain_linear(one.hidden, one.words);
      for (Index n = 0; n < logits.rows; ++n) {
        double top = logits(n, 0), sum = 0, squares = 0;
        for (Index v = 0; v < vocabulary; ++v) top = std::max(top, logits(n, v));
        for (Index v = 0; v < vocabulary; ++v) sum += std::exp(logits(n, v) - top);
        for (Index v = 0; v < vocabulary; ++v) squares += std::pow(std::exp(logits(n, v) - top) / sum, 2);
        auto const& stats = one.stats[static_cast<std::size_t>(n)];
        CHECK(std::abs(stats.log_sum_sq_probs - std::log(squares)) <= 1e-12);
        CHECK(stats.target_logprob == without[static_cast<std::size_t>(n)].target_logprob);
        CHECK(stats.entropy == without[static_cast<std::size_t>(n)].entropy);
      }
    }
}

TEST_CASE("lm_head: gradients with respect to states and words equal the chain rule over whole logits") {
  for (Index const vocabulary : {Index{5}, panel + 1, 2 * panel + 300})
    for (bool const entropy : {false, true})
      for (bool const mean : {false, true}) {
        CAPTURE(vocabulary);
        CAPTURE(entropy);
        CAPTURE(mean);
        auto const last = static_cast<std::int32_t>(vocabulary - 1);
        Case one(vocabulary, 3, {0, last, last / 2, 2}, true);
        auto const gradient = one.random_gradient(entropy, mean);
        Matrix const d = one.logit_gradient(gradient);
        Matrix const noise = Matrix::random(vocabulary, 3, one.rng);
        std::copy(noise.values.begin(), noise.values.end(), one.weight.grad().data);

        auto const pass = one.forward(true, entropy);
        CHECK(pass.weighted.empty() == !entropy);
        Matrix d_hidden(4, 3, 99);
        one.head.backward(one.workspace, pass, one.stats, gradient, d_hidden.view());
        CHECK(test::distance(d_hidden, test::plain_linear(d, transposed(one.words))) <= 1e-11);
        Matrix const expected = test::sum(noise, test::plain_linear(transposed(d), transposed(one.hidden)));
        CHECK(test::distance(one.weight.grad(), expected.view()) <= 1e-12);
      }
}

TEST_CASE("lm_head: the trained head and the states have the gradients of central differences") {
  Case one(panel + 7, 3, {3, static_cast<std::int32_t>(panel + 2), 1}, true);
  auto const gradient = one.random_gradient(true, true);
  Matrix d_hidden(3, 3);
  auto const pass = one.forward(true, true);
  one.head.backward(one.workspace, pass, one.stats, gradient, d_hidden.view());
  Params<double> params;
  one.weight.append(params);
  params.push_back({"hidden", {3, 3}, one.hidden.view(), d_hidden.view()});
  auto const result = test::check_gradients(params, [&] {
    one.forward(false, false);
    double total = 0;
    for (std::size_t n = 0; n < 3; ++n)
      total += gradient[n].target_logprob * one.stats[n].target_logprob + gradient[n].logsumexp * one.stats[n].logsumexp +
               gradient[n].mean_logit * one.stats[n].mean_logit + gradient[n].entropy * one.stats[n].entropy;
    return total;
  });
  CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
}

TEST_CASE("lm_head: words in a block format are read panel by panel as if they were dense") {
  Rng rng(4);
  Reference backend;
  Index const vocabulary = panel + 40, width = 64;
  auto const bytes = test::stored_weights(Storage::q8_0, vocabulary, width, rng);
  Weight<double, Reference> const weight(backend, "w", {Storage::q8_0, {vocabulary, width}, bytes.data(), nullptr}, false);
  Case dense(vocabulary, width, {1, static_cast<std::int32_t>(panel + 39)}, false);
  weight.download(backend, dense.words.values);
  auto const gradient = dense.random_gradient(true, true);
  Matrix expected(2, width), actual(2, width);
  auto const pass = dense.forward(true, true);
  dense.head.backward(dense.workspace, pass, dense.stats, gradient, expected.view());

  LmHead<double, Reference> head(weight);
  std::vector<TokenStats> stats(2);
  dense.arena.release(0);
  auto const other = head.forward(dense.workspace, dense.hidden.view(), dense.targets.data(), true, true, stats);
  head.backward(dense.workspace, other, stats, gradient, actual.view());
  for (std::size_t n = 0; n < 2; ++n) CHECK(stats[n].target_logprob == doctest::Approx(dense.stats[n].target_logprob).epsilon(1e-12));
  CHECK(test::distance(actual, expected) <= 1e-12);
  auto scope = dense.arena.scope();
  CHECK(test::distance(head.logits(dense.workspace, dense.hidden.view()), test::plain_linear(dense.hidden, dense.words).view()) <= 1e-12);
}

TEST_CASE("lm_head: the memory of a pass does not grow with the vocabulary beyond a panel, and no token is no work") {
  auto const peak = [](Index vocabulary) {
    Case one(vocabulary, 3, {1, 2}, false);
    auto const pass = one.forward(true, true);
    Matrix d_hidden(2, 3);
    one.head.backward(one.workspace, pass, one.stats, one.random_gradient(true, true), d_hidden.view());
    return one.arena.peak();
  };
  CHECK(peak(3 * panel) == peak(panel));

  Case none(9, 3, {}, true);
  auto const pass = none.forward(true, true);
  none.head.backward(none.workspace, pass, none.stats, {}, Out<double>(nullptr, 0, 3));
  CHECK(Matrix::copy(none.weight.grad()) == Matrix(9, 3));
}
