// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/cross_entropy.hpp>

#include <doctest/doctest.h>
#include <support/loss_check.hpp>
#include <support/message_of.hpp>

#include <string>

using namespace graft;

namespace graft::test {

inline TokenBatch batch_of(std::vector<std::int32_t> targets, std::vector<float> weights = {}, double normalizer = 0) {
  TokenBatch batch;
  for (std::size_t n = 0; n < targets.size(); ++n) batch.rows.push_back(static_cast<std::int32_t>(n));
  batch.targets = std::move(targets);
  batch.weights = std::move(weights);
  batch.normalizer = normalizer;
  return batch;
}

/// A loss that uses every statistic, the entropy too, so that the whole chain formula is exercised.
struct EveryStatistic {
  using Batch = TokenBatch;
  double factor = 1;
  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    TokenWeights const weights("every_statistic", stats, batch, gradient);
    LossReport report;
    for (std::size_t n = 0; n < stats.size(); ++n) {
      double const w = weights[n] / weights.normalizer();
      auto const& s = stats[n];
      report.value += w * factor * (std::exp(s.target_logprob) + std::sin(s.logsumexp) + s.mean_logit * s.entropy);
      gradient[n] = {w * factor * std::exp(s.target_logprob), w * factor * std::cos(s.logsumexp),
                     w * factor * s.entropy, w * factor * s.mean_logit};
    }
    return report;
  }
};

}  // namespace graft::test

using namespace graft::test;

TEST_CASE("cross entropy: equal logits cost log V whatever the smoothing") {
  std::vector<double> const logits(50, 1.5);
  std::vector<TokenStats> const stats{token_stats(logits, 7)};
  std::vector<TokenStats> gradient(1);
  for (double const smoothing : {0.0, 0.1, 0.9})
    CHECK(CrossEntropy{.label_smoothing = smoothing}(stats, batch_of({7}), gradient).value ==
          doctest::Approx(std::log(50.0)).epsilon(1e-12));
}

TEST_CASE("cross entropy: label smoothing equals the cross entropy against the smoothed distribution") {
  std::vector<double> const logits{0.3, -1.2, 2.5, 0.0};
  double const smoothing = 0.2;
  double expected = 0;
  double const lse = std::log(std::exp(0.3) + std::exp(-1.2) + std::exp(2.5) + 1);
  for (std::size_t v = 0; v < 4; ++v) expected -= (smoothing / 4 + (v == 1 ? 1 - smoothing : 0)) * (logits[v] - lse);
  std::vector<TokenStats> const stats{token_stats(logits, 1)};
  std::vector<TokenStats> gradient(1);
  auto const report = CrossEntropy{.label_smoothing = smoothing}(stats, batch_of({1}), gradient);
  CHECK(report.value == doctest::Approx(expected).epsilon(1e-13));
  CHECK(report.negative_log_likelihood == doctest::Approx(lse + 1.2).epsilon(1e-13));
  CHECK(report.weight == 1);
}

TEST_CASE("cross entropy: the z-loss adds its coefficient times logsumexp squared") {
  std::vector<TokenStats> const stats{{.target_logprob = -2, .logsumexp = 5, .mean_logit = 1}};
  std::vector<TokenStats> gradient(1);
  CHECK(CrossEntropy{.z_loss = 1e-2}(stats, batch_of({0}), gradient).value == doctest::Approx(2.25).epsilon(1e-14));
  CHECK(gradient[0].logsumexp == doctest::Approx(0.1).epsilon(1e-14));
}

TEST_CASE("cross entropy: gradients through explicit logits equal central differences") {
  Rng rng(11);
  auto const batch = batch_of({3, 0, 16, 5, 5}, {1.0f, 0.5f, 0.0f, 2.0f, 1.0f});
  for (auto const loss : {CrossEntropy{}, CrossEntropy{.label_smoothing = 0.1}, CrossEntropy{.z_loss = 1e-2},
                          CrossEntropy{.label_smoothing = 0.3, .z_loss = 1e-3}}) {
    auto const check = check_loss(loss, batch, random_logits(5, 17, rng));
    CHECK(check.error <= 1e-6);
    CHECK(check.largest > 0.01);
    CHECK(check.written_whole);
  }
}

TEST_CASE("loss check: the chain formula holds for every statistic and a wrong gradient is caught") {
  Rng rng(5);
  auto const check = check_loss(EveryStatistic{}, batch_of({1, 8, 4}), random_logits(3, 9, rng));
  CHECK(check.error <= 1e-6);
  CHECK(check.largest > 0.01);

  struct Wrong {
    using Batch = TokenBatch;
    CrossEntropy inner{.label_smoothing = 0.2};
    LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> g) const {
      auto const report = inner(stats, batch, g);
      for (auto& entry : g) entry.mean_logit *= 1.001;
      return report;
    }
  };
  CHECK(check_loss(Wrong{}, batch_of({1, 8, 4}), random_logits(3, 9, rng)).error > 1e-6);
}

TEST_CASE("cross entropy: a token of weight 0 has no gradient and a report weighs tokens") {
  std::vector<TokenStats> const stats{{.target_logprob = -1, .logsumexp = 3}, {.target_logprob = -5, .logsumexp = 4}};
  std::vector<TokenStats> gradient(2);
  auto const report =
      CrossEntropy{.label_smoothing = 0.1, .z_loss = 1}(stats, batch_of({0, 0}, {0.0f, 2.0f}), gradient);
  CHECK(gradient[0].target_logprob == 0);
  CHECK(gradient[0].logsumexp == 0);
  CHECK(gradient[1].target_logprob == doctest::Approx(-0.9));
  CHECK(report.weight == 2);
  CHECK(report.negative_log_likelihood == doctest::Approx(10));
}

TEST_CASE("cross entropy: micro-batches of unequal size with the shared normalizer add up to the whole batch") {
  Rng rng(3);
  std::vector<std::int32_t> const targets{4, 2, 0, 9, 7, 1, 3};
  std::vector<float> const weights{1, 0.25f, 3, 1, 1, 0, 0.5f};
  auto logits = random_logits(7, 10, rng);
  auto const stats = token_stats(logits, targets);
  auto const whole = batch_of(targets, weights);
  double const normalizer = whole.total_weight();
  for (std::size_t const cut : {std::size_t{1}, std::size_t{3}, std::size_t{6}}) {
    auto const at = static_cast<std::ptrdiff_t>(cut);
    std::vector<BatchPiece<TokenBatch>> const pieces{
        {batch_of({targets.begin(), targets.begin() + at}, {weights.begin(), weights.begin() + at}, normalizer), 0},
        {batch_of({targets.begin() + at, targets.end()}, {weights.begin() + at, weights.end()}, normalizer), cut}};
    CHECK(accumulation_error(CrossEntropy{.label_smoothing = 0.1, .z_loss = 1e-3}, stats, whole, pieces) <= 1e-14);
  }
}

TEST_CASE("cross entropy: a micro-batch without supervised tokens is 0 under the step's normalizer") {
  std::vector<TokenStats> none;
  auto const report = CrossEntropy{}(none, batch_of({}, {}, 12.0), none);
  CHECK(report.value == 0);
  CHECK(report.weight == 0);
}

TEST_CASE("cross entropy: values and batches that make no sense are refused by name") {
  std::vector<TokenStats> const stats(2);
  std::vector<TokenStats> gradient(2);
  std::vector<TokenStats> short_gradient(1);
  auto const good = batch_of({0, 1});
  auto const says = [&](CrossEntropy const& loss, TokenBatch const& batch, std::span<TokenStats> out) {
    return message_of([&] { loss(stats, batch, out); });
  };
  CHECK(says({.label_smoothing = 1}, good, gradient) == "[cross_entropy] label_smoothing must be in [0, 1): got 1");
  CHECK(says({.label_smoothing = -0.1}, good, gradient).find("got -0.1") != std::string::npos);
  CHECK(says({.label_smoothing = std::nan("")}, good, gradient).find("label_smoothing") != std::string::npos);
  CHECK(says({.z_loss = -1}, good, gradient) == "[cross_entropy] z_loss must be 0 or more: got -1");
  CHECK(says({}, batch_of({0}), gradient).find("2 statistics, 2 gradients and 1 rows") != std::string::npos);
  CHECK(says({}, good, short_gradient).find("1 gradients") != std::string::npos);
  CHECK(says({}, batch_of({0, 1}, {1.0f}), gradient).find("got 1 for 2 tokens") != std::string::npos);
  CHECK(says({}, batch_of({0, 1}, {0.0f, 0.0f}), gradient).find("must be positive: got 0") != std::string::npos);
  CHECK(says({}, batch_of({0, 1}, {}, -3), gradient).find("got -3") != std::string::npos);
}
