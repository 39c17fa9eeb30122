// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/reward/plackett_luce.hpp>

#include <graft/loss/reward/bradley_terry.hpp>

#include <support/message_of.hpp>
#include <support/score_loss_check.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::reward_batch;

TEST_CASE("plackett_luce: gradients equal central differences, for rankings, ties and centering") {
  auto const mixed = reward_batch({{0, 1}, {0, 1, 2, 3, 4}, {0, 0, 1}, {0, 1, 1, 1, 2}, {0, 0}});
  for (double const coefficient : {0.0, 0.4})
    CHECK(test::score_gradient_error(PlackettLuce{coefficient}, mixed, test::random_scores(mixed, 3)) <= 1e-6);
}

TEST_CASE("plackett_luce: two answers are a pair of Bradley and Terry, centering included") {
  auto const batch = reward_batch({{0, 1}, {0, 1}});
  auto const scores = test::random_scores(batch, 5);
  std::vector<double> a(4), b(4);
  CHECK(PlackettLuce{0.3}(scores, batch, a).value == doctest::Approx(BradleyTerry{0.3}(scores, batch, b).value).epsilon(1e-13));
  for (std::size_t i = 0; i < 4; ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-12));
}

TEST_CASE("plackett_luce: equal scores make every order equally likely; great scores do not overflow") {
  std::vector<double> gradient(4);
  CHECK(PlackettLuce{}(std::vector<double>(4, 2.5), reward_batch({{0, 1, 2, 3}}), gradient).value ==
        doctest::Approx(std::log(24.0)).epsilon(1e-14));
  CHECK(PlackettLuce{}(std::vector<double>{3000, 2000, 1000, 0}, reward_batch({{0, 1, 2, 3}}), gradient).value == 0);
  CHECK(PlackettLuce{}(std::vector<double>{0, 1000}, reward_batch({{0, 1}}), std::span(gradient).first(2)).value == 1000);
}

TEST_CASE("plackett_luce: equal ranks are compared with worse ones only") {
  std::vector<double> const scores{0.5, -0.4, 0.1};
  std::vector<double> gradient(3);
  double const expected = -log_sigmoid(0.5 - 0.1) - log_sigmoid(-0.4 - 0.1);
  CHECK(PlackettLuce{}(scores, reward_batch({{0, 0, 1}}), gradient).value == doctest::Approx(expected).epsilon(1e-13));
  CHECK(PlackettLuce{}(scores, reward_batch({{0, 0, 0}}), gradient).value == doctest::Approx(0).epsilon(1e-15));
}

TEST_CASE("plackett_luce: margins and negative coefficients are refused") {
  std::vector<double> scores(2), gradient(2);
  CHECK(test::message_of([&] { (void)PlackettLuce{}(scores, reward_batch({{0, 1}}, {0.5f}), gradient); }) ==
        "[plackett_luce] margins belong to pairs: use bradley_terry, or leave them out");
  CHECK(test::message_of([&] { (void)PlackettLuce{-1}(scores, reward_batch({{0, 1}}), gradient); }) ==
        "[plackett_luce] center_rewards_coefficient must be 0 or more: got -1");
  CHECK(test::message_of([&] { (void)PlackettLuce{}(scores, reward_batch({{0, 1}}, {0}), gradient); }) == "no error");
}
