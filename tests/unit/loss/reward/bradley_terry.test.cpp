// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/reward/bradley_terry.hpp>

#include <support/message_of.hpp>
#include <support/score_loss_check.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::reward_batch;

TEST_CASE("bradley_terry: gradients equal central differences, for pairs, rankings, ties, margins and centering") {
  auto const mixed = reward_batch({{0, 1}, {0, 1, 2, 3}, {0, 0, 1}, {0, 1, 1, 1, 2}, {0, 0}}, {0.5f, 0, 1, 0.25f, 2});
  for (double const coefficient : {0.0, 0.01, 0.7})
    CHECK(test::score_gradient_error(BradleyTerry{coefficient}, mixed, test::random_scores(mixed, 3)) <= 1e-6);
}

TEST_CASE("bradley_terry: a ranking is the mean of its pairs, in one element") {
  std::vector<double> const scores{0.4, -0.2, 1.1};
  std::vector<double> gradient(3);
  auto const report = BradleyTerry{}(scores, reward_batch({{0, 1, 2}}), gradient);
  double const expected = -(log_sigmoid(0.6) + log_sigmoid(-0.7) + log_sigmoid(-1.3)) / 3;
  CHECK(report.value == doctest::Approx(expected).epsilon(1e-14));
  CHECK(report.negative_log_likelihood == doctest::Approx(expected).epsilon(1e-14));
  CHECK(report.weight == 1);
  // Without centering only differences matter: the gradient adds up to nothing.
  CHECK(gradient[0] + gradient[1] + gradient[2] == doctest::Approx(0).epsilon(1e-14));
}

TEST_CASE("bradley_terry: equal ranks say nothing") {
  std::vector<double> const scores{5, -1, 2, 0.5};
  std::vector<double> all(4), tied(2);
  auto const both = BradleyTerry{.center_rewards_coefficient = 1}(scores, reward_batch({{0, 0}, {0, 1}}), all);
  CHECK(all[0] == 0);
  CHECK(all[1] == 0);
  auto const one = BradleyTerry{.center_rewards_coefficient = 1}(std::span(scores).subspan(2), reward_batch({{0, 1}}), tied);
  CHECK(both.value == doctest::Approx(one.value / 2).epsilon(1e-14));
}

TEST_CASE("bradley_terry: micro-batches with one normalizer add up to the whole") {
  auto const whole = reward_batch({{0, 1}, {0, 1, 2}, {0, 1}}, {0.5f, 0, 1});
  auto const scores = test::random_scores(whole, 8);
  std::vector<double> expected(7), got(7);
  BradleyTerry const loss{.center_rewards_coefficient = 0.1};
  double const value = loss(scores, whole, expected).value;
  auto first = reward_batch({{0, 1}, {0, 1, 2}}, {0.5f, 0}), second = reward_batch({{0, 1}}, {1});
  first.normalizer = second.normalizer = 3;
  double const sum = loss(std::span(scores).first(5), first, std::span(got).first(5)).value +
                     loss(std::span(scores).subspan(5), second, std::span(got).subspan(5)).value;
  CHECK(sum == doctest::Approx(value).epsilon(1e-13));
  for (std::size_t i = 0; i < 7; ++i) CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-13));
}

TEST_CASE("bradley_terry: batches that do not fit together are refused") {
  std::vector<double> scores(2), gradient(2);
  auto const message = [&](auto&& change, BradleyTerry const& loss = {}) {
    auto batch = reward_batch({{0, 1}});
    change(batch);
    return test::message_of([&] { (void)loss(scores, batch, gradient); });
  };
  CHECK(message([](auto&) {}) == "no error");
  CHECK(message([](auto& b) { b.cu_groups.clear(); }) == "[bradley_terry] a batch must have at least one group of answers");
  CHECK(message([](auto& b) { b.ranks.push_back(2); }) ==
        "[bradley_terry] scores, gradient and batch must have the same number of answers: got 2 scores, 2 gradients, 3 ranks and "
        "groups from 0 to 2");
  CHECK(message([](auto& b) { b.ranks = {1, 0}; }) ==
        "[bradley_terry] the answers of group 0 must stand from best to worst: got rank 1 before rank 0");
  CHECK(message([](auto& b) { b.cu_groups = {0, 0, 2}; }) == "[bradley_terry] group 0 has no answers");
  CHECK(message([](auto& b) { b.margins = {1, 2}; }) ==
        "[bradley_terry] a batch must have a margin for each group or none at all: got 2 for 1");
  CHECK(message([](auto& b) { b.normalizer = -1; }) == "[bradley_terry] the normalizer must be positive: got -1");
  CHECK(message([](auto&) {}, {.center_rewards_coefficient = -1}) ==
        "[bradley_terry] center_rewards_coefficient must be 0 or more: got -1");
}
