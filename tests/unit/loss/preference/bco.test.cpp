// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/preference/bco.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>
#include <support/preference_case.hpp>

#include <cmath>

using namespace graft;
using namespace graft::test;

TEST_CASE("bco: gradients through explicit logits equal central differences where delta is held") {
  Rng rng(17);
  auto batch = answer_batch({3, 5, 1, 4}, 7, rng);
  // δ is a mean over so many that the micro-batch, which has no gradient through it, does not move it
  batch.past_answers = 1e12;
  batch.past_reward = 0.4e12;
  auto const check = check_loss(Bco{.beta = 0.3}, batch, random_logits(batch.supervised(), 7, rng, 1));
  CHECK(check.error <= 1e-6);
  CHECK(check.largest > 1e-3);
  CHECK(check.written_whole);
  CHECK(check.report.metrics["delta"] == doctest::Approx(0.4));
}

TEST_CASE("bco: delta is the mean reward of what was seen before and of the batch itself") {
  Rng rng(3);
  auto batch = answer_batch({1, 1}, 7, rng);
  batch.reference_logprobs = {-1, -2};
  std::vector<TokenStats> stats(2), gradient(2);
  stats[0].target_logprob = -0.5;  // rewards 0.25 and -0.5
  stats[1].target_logprob = -3;
  auto report = Bco{.beta = 0.5}(stats, batch, gradient);
  CHECK(report.metrics["delta"] == doctest::Approx(-0.125));
  auto const cost = [](double x) { return std::log1p(std::exp(-x)); };
  CHECK(report.value == doctest::Approx((cost(0.25 + 0.125) + cost(0.5 - 0.125)) / 2).epsilon(1e-14));
  batch.past_answers = 6;
  batch.past_reward = 4.25;
  report = Bco{.beta = 0.5}(stats, batch, gradient);
  CHECK(report.metrics["delta"] == doctest::Approx(0.5));
  CHECK(report.value == doctest::Approx((cost(0.25 - 0.5) + cost(0.5 + 0.5)) / 2).epsilon(1e-14));
  CHECK(report.metrics["rewards/margins"] == doctest::Approx(0.75));
}

TEST_CASE("bco: a batch without the reference is refused by name") {
  Rng rng(1);
  auto batch = answer_batch({2}, 7, rng);
  batch.reference_logprobs.clear();
  std::vector<TokenStats> stats(2), gradient(2);
  CHECK(message_of([&] { (void)Bco{}(stats, batch, gradient); }).starts_with("[bco] the batch has no log-probabilities of the reference"));
}
