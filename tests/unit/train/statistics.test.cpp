// SPDX-License-Identifier: Apache-2.0
#include <graft/train/statistics.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

using namespace graft;
using namespace graft::test;

TEST_CASE("wilson: the bounds are the proportions from which the observed one is z standard errors away") {
  for (auto const& [successes, trials] :
       std::vector<std::pair<Index, Index>>{{8, 10}, {1, 7}, {183, 200}, {5000, 9999}}) {
    auto const interval = wilson_interval(successes, trials);
    double const p = static_cast<double>(successes) / static_cast<double>(trials);
    CHECK(interval.estimate == p);
    for (double const bound : {interval.low, interval.high})
      CHECK(std::abs(bound - p) / std::sqrt(bound * (1 - bound) / static_cast<double>(trials)) ==
            doctest::Approx(z_95).epsilon(1e-10));
    CHECK(interval.low < p);
    CHECK(p < interval.high);
  }
}

TEST_CASE("wilson: published values, and the ends of the scale have a width and stay inside it") {
  auto const eight = wilson_interval(8, 10);
  CHECK(eight.low == doctest::Approx(0.4901625).epsilon(1e-6));
  CHECK(eight.high == doctest::Approx(0.9433178).epsilon(1e-6));
  auto const none = wilson_interval(0, 20);
  CHECK(none.low == 0);
  CHECK(none.high == doctest::Approx(z_95 * z_95 / (20 + z_95 * z_95)).epsilon(1e-12));
  auto const all = wilson_interval(20, 20);
  CHECK(all.high == 1);
  CHECK(all.low == doctest::Approx(20 / (20 + z_95 * z_95)).epsilon(1e-12));
}

TEST_CASE("mcnemar: exact two-sided binomial tails") {
  CHECK(mcnemar_exact(1, 9) == doctest::Approx(22.0 / 1024).epsilon(1e-12));
  CHECK(mcnemar_exact(9, 1) == mcnemar_exact(1, 9));
  CHECK(mcnemar_exact(0, 8) == doctest::Approx(2.0 / 256).epsilon(1e-12));
  CHECK(mcnemar_exact(5, 5) == 1);
  CHECK(mcnemar_exact(0, 0) == 1);
  CHECK(mcnemar_exact(12, 30) == doctest::Approx(0.007915897334896727).epsilon(1e-10));
  CHECK(mcnemar_exact(3, 150) == doctest::Approx(1.0458205731410583e-40).scale(0).epsilon(1e-9));
  CHECK(mcnemar_exact(400, 520) == doctest::Approx(8.549170923883778e-05).scale(0).epsilon(1e-9));
}

TEST_CASE("mcnemar: only the items on which two systems disagree count") {
  std::vector<bool> first(300, true);
  std::vector<bool> second(300, true);
  for (std::size_t i = 0; i < 9; ++i) first[i] = false;
  second[100] = false;
  CHECK(mcnemar_exact(first, second) == doctest::Approx(22.0 / 1024).epsilon(1e-12));
}

TEST_CASE("bootstrap: the interval of a mean has the width that the normal approximation gives") {
  Rng rng(8);
  std::vector<double> values(400);
  for (double& value : values) value = 3 + 2 * rng.normal();
  double squares = 0;
  for (double const value : values) squares += (value - mean(values)) * (value - mean(values));
  double const error = std::sqrt(squares / 399 / 400);
  auto const interval = bootstrap_mean(values, 1);
  CHECK(interval.estimate == doctest::Approx(mean(values)).epsilon(1e-15));
  CHECK(interval.low == doctest::Approx(mean(values) - z_95 * error).epsilon(0.01));
  CHECK(interval.high == doctest::Approx(mean(values) + z_95 * error).epsilon(0.01));
}

TEST_CASE("bootstrap: the seed decides the bounds, and equal values have none to decide") {
  std::vector<double> fine(101);
  for (std::size_t i = 0; i < fine.size(); ++i) fine[i] = std::sqrt(static_cast<double>(i));
  CHECK(bootstrap_mean(fine, 3).low != bootstrap_mean(fine, 4).low);
  CHECK(bootstrap_mean(fine, 3).low == bootstrap_mean(fine, 3).low);
  auto const flat = bootstrap_mean(std::vector<double>(30, 0.5));
  CHECK(flat.low == 0.5);
  CHECK(flat.high == 0.5);
}

TEST_CASE("bootstrap: paired differences are second minus first, and pairing removes what items share") {
  Rng rng(2);
  std::vector<double> first(200);
  std::vector<double> second(200);
  for (std::size_t i = 0; i < 200; ++i) {
    first[i] = 100 * rng.normal();
    second[i] = first[i] - 1 + 0.1 * rng.normal();
  }
  auto const interval = paired_bootstrap(first, second);
  CHECK(interval.estimate == doctest::Approx(-1).epsilon(0.03));
  CHECK(interval.high < -0.95);
  CHECK(interval.low > -1.05);
}

TEST_CASE("statistics: impossible counts and unequal lists are refused with the numbers") {
  CHECK(message_of([] { (void)wilson_interval(3, 2); }) ==
        "[statistics] a proportion needs trials and at most as many successes: got 3 of 2");
  CHECK(message_of([] { (void)wilson_interval(0, 0); }).find("got 0 of 0") != std::string::npos);
  CHECK(message_of([] { (void)mcnemar_exact(-1, 2); }).find("got -1 and 2") != std::string::npos);
  CHECK(message_of([] { (void)mcnemar_exact({true}, {true, false}); }).find("got 1 and 2") != std::string::npos);
  CHECK(message_of([] { (void)mean({}); }).find("got none") != std::string::npos);
  CHECK(message_of([] { (void)bootstrap_mean(std::vector<double>{1}, 0, 5); }).find("got 5") != std::string::npos);
  CHECK(message_of([] { (void)paired_bootstrap(std::vector<double>{1}, std::vector<double>{}); }).find("got 1 and 0") !=
        std::string::npos);
}
