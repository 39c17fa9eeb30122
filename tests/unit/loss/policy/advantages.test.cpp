// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/policy/advantages.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <limits>

using namespace graft;

TEST_CASE("advantages: groups that are all alike teach nothing and are counted; unscored samples stand aside") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> const rewards{1, 1, 1, 0, nan, 2};
  std::vector<double> advantages(6);
  CHECK(grpo_advantages(rewards, 3, ScaleRewards::none, advantages) == 0.5);
  CHECK(advantages == std::vector<double>{0, 0, 0, -1, 0, 1});
  rloo_advantages(rewards, 3, false, advantages);
  CHECK(advantages == std::vector<double>{0, 0, 0, -2, 0, 2});
  std::vector<double> const alone{nan, 3, nan};
  std::vector<double> three(3);
  rloo_advantages(alone, 3, true, three);
  CHECK(three == std::vector<double>{0, 0, 0});
  CHECK(test::message_of([&] { grpo_advantages(rewards, 4, ScaleRewards::group, advantages); }) ==
        "[grpo] needs groups of at least 2 samples of a prompt: got 6 rewards, 6 advantages and 4 samples a prompt");
}

TEST_CASE("advantages: a score lands on the last token of its completion") {
  std::vector<std::int32_t> const offsets{0, 2, 3};
  std::vector<double> rewards(3);
  token_rewards(std::vector<double>{5, -1}, std::vector<double>{0.5, 0.25, 1}, offsets, rewards);
  CHECK(rewards == std::vector<double>{-0.5, 4.75, -2});
  std::vector<std::int32_t> const empty{0, 3, 3};
  CHECK(test::message_of([&] { token_rewards(std::vector<double>{5, -1}, std::vector<double>{0, 0, 0}, empty, rewards); }) ==
        "[rewards] completion 1 is empty: there is no token to reward");
}
