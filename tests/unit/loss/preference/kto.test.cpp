// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/preference/kto.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>
#include <support/preference_case.hpp>

using namespace graft;
using namespace graft::test;

TEST_CASE("kto: gradients through explicit logits equal central differences, with and without a reference point") {
  Rng rng(17);
  auto batch = answer_batch({3, 5, 1, 4}, 7, rng);
  batch.kl = 0.5;
  auto const logits = random_logits(batch.supervised(), 7, rng, 1);
  for (bool const point : {true, false}) {
    auto const check = check_loss(Kto{.beta = 0.3, .desirable_weight = 2, .undesirable_weight = 0.7, .reference_point = point}, batch, logits);
    CHECK(check.error <= 1e-6);
    CHECK(check.largest > 1e-3);
    CHECK(check.written_whole);
    CHECK(check.report.metrics["kl"] == (point ? 0.5 : 0));
  }
}

TEST_CASE("kto: a policy that is its reference costs half the mean weight, and a KL estimate below 0 counts as 0") {
  Rng rng(3);
  auto batch = answer_batch({2, 3}, 7, rng);
  batch.kl = -1;
  std::vector<TokenStats> stats(5), gradient(5);
  for (std::size_t n = 0; n < stats.size(); ++n) stats[n].target_logprob = double{batch.reference_logprobs[n]};
  auto const report = Kto{.beta = 0.4, .desirable_weight = 3}(stats, batch, gradient);
  CHECK(report.value == doctest::Approx((0.5 * 3 + 0.5) / 2).epsilon(1e-14));
  CHECK(report.metrics["rewards/margins"] == 0);
  for (std::size_t n = 0; n < 5; ++n) CHECK(gradient[n].target_logprob == doctest::Approx(n < 2 ? -0.15 : 0.05));
}

TEST_CASE("kto: weights below 0, no reference and a beta of 0 are refused by name") {
  Rng rng(1);
  auto batch = answer_batch({2, 3}, 7, rng);
  std::vector<TokenStats> const stats(5);
  std::vector<TokenStats> gradient(5);
  auto const says = [&](Kto const& loss) { return message_of([&] { (void)loss(stats, batch, gradient); }); };
  CHECK(says({.desirable_weight = -1}).starts_with("[kto] weights must be 0 or more: got -1 and 1"));
  CHECK(says({.beta = 0}) == "[kto] beta must be positive: got 0");
  batch.reference_logprobs.clear();
  CHECK(says({}).starts_with("[kto] the batch has no log-probabilities of the reference"));
}
