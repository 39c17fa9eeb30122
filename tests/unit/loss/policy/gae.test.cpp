// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/policy/gae.hpp>
#include <graft/loss/policy/whiten.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <vector>

using namespace graft;

TEST_CASE("gae: lambda 0 is the one-step error, lambda 1 the reward to come less the value; completions do not mix") {
  std::vector<double> const rewards{0, 0, 1, 2}, values{0.5, 0.25, 0.125, 1};
  std::vector<std::int32_t> const offsets{0, 3, 4};
  std::vector<double> advantages(4), returns(4);
  Gae{.gamma = 0.5, .lambda = 0}(rewards, values, offsets, advantages, returns);
  CHECK(advantages == std::vector<double>{-0.375, -0.1875, 0.875, 1});
  Gae{.gamma = 0.5, .lambda = 1}(rewards, values, offsets, advantages, returns);
  CHECK(returns == std::vector<double>{0.25, 0.5, 1, 2});
  CHECK(advantages == std::vector<double>{-0.25, 0.25, 0.875, 1});
  Gae{.gamma = 1, .lambda = 1}(rewards, {}, offsets, advantages, returns);
  CHECK(advantages == std::vector<double>{1, 1, 1, 2});
  CHECK(test::message_of([&] { Gae{.gamma = 2}(rewards, values, offsets, advantages, returns); }).find("in [0, 1]: got 2") !=
        std::string::npos);
  CHECK(test::message_of([&] { Gae{}(rewards, std::vector<double>(2), offsets, advantages, returns); }).find("got 4, 2, 4, 4 and 4") !=
        std::string::npos);
}

TEST_CASE("whiten: equal values, one value and none do not become infinite") {
  std::vector<double> same{3, 3, 3}, one{3}, none;
  whiten(same);
  whiten(one);
  whiten(none);
  CHECK(same == std::vector<double>{0, 0, 0});
  CHECK(one == std::vector<double>{0});
  std::vector<double> masked{1, 5, 3};
  whiten(masked, std::vector<float>{1, 0, 1}, false);
  CHECK(masked[0] == doctest::Approx(2 - std::sqrt(0.5)).epsilon(1e-7));
  CHECK(masked[1] == 0);
}
