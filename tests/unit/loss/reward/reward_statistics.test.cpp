// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/reward/reward_statistics.hpp>

#include <support/score_loss_check.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::reward_batch;

TEST_CASE("reward_statistics: pairs of unequal rank count, over batches as over one") {
  RewardStatistics statistics;
  CHECK(statistics.mean() == 0);
  CHECK(statistics.accuracy() == 0);
  statistics.add(std::vector<double>{3, 1, 1, 2}, reward_batch({{0, 1}, {0, 1}}));
  CHECK(statistics.accuracy() == 0.5);
  CHECK(statistics.margin() == 0.5);
  statistics.add(std::vector<double>{5, 5, -4}, reward_batch({{0, 0, 1}}));
  statistics.add(std::vector<double>{1, 1}, reward_batch({{0, 1}}));  // undecided is not right
  CHECK(statistics.pairs == 5);
  CHECK(statistics.right == 3);
  CHECK(statistics.min == -4);
  CHECK(statistics.max == 5);
  CHECK(statistics.mean() == doctest::Approx(15.0 / 9));
  CHECK(statistics.margin() == doctest::Approx((2 - 1 + 9 + 9) / 5.0));
  auto const metrics = statistics.metrics();
  CHECK(metrics["min_reward"] == -4);
  CHECK(metrics["mean_reward"] == statistics.mean());
  CHECK(metrics["max_reward"] == 5);
  CHECK(metrics["accuracy"] == statistics.accuracy());
  CHECK(metrics["margin"] == statistics.margin());
}
