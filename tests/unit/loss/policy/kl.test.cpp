// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/policy/kl.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

using namespace graft;

TEST_CASE("kl: k1 and k3 have the exact KL as their mean over the policy, and every gradient is that of its value") {
  double const p[] = {0.5, 0.3, 0.2}, q[] = {0.2, 0.2, 0.6};
  double exact = 0, k1 = 0, k3 = 0;
  for (int i = 0; i < 3; ++i) {
    exact += p[i] * std::log(p[i] / q[i]);
    k1 += p[i] * kl_estimate(KlEstimator::k1, std::log(p[i]), std::log(q[i]));
    k3 += p[i] * kl_estimate(KlEstimator::k3, std::log(p[i]), std::log(q[i]));
    for (auto const estimator : {KlEstimator::k1, KlEstimator::k2, KlEstimator::k3}) {
      double const x = std::log(p[i]), y = std::log(q[i]), h = 1e-5;
      CHECK(kl_gradient(estimator, x, y) ==
            doctest::Approx((kl_estimate(estimator, x + h, y) - kl_estimate(estimator, x - h, y)) / (2 * h)).epsilon(1e-8));
    }
  }
  CHECK(k1 == doctest::Approx(exact).epsilon(1e-14));
  CHECK(k3 == doctest::Approx(exact).epsilon(1e-14));
}

TEST_CASE("kl: the coefficient follows its target by at most 20 % of samples / horizon, or stays") {
  KlCoefficient fixed{.coefficient = 0.1};
  fixed.update(50, 1000);
  CHECK(fixed.coefficient == 0.1);
  KlCoefficient adaptive{.coefficient = 0.2, .target = 6, .horizon = 1000};
  adaptive.update(60, 100);
  CHECK(adaptive.coefficient == doctest::Approx(0.2 * 1.02));
  adaptive.update(6.6, 100);
  CHECK(adaptive.coefficient == doctest::Approx(0.2 * 1.02 * 1.01));
  adaptive.update(0, 100);
  CHECK(adaptive.coefficient == doctest::Approx(0.2 * 1.02 * 1.01 * 0.98));
  CHECK(test::message_of([] { KlCoefficient{.coefficient = -1}.validate(); }) == "[kl] the coefficient must be 0 or more: got -1");
}
