// SPDX-License-Identifier: Apache-2.0
#include <graft/train/policy_guards.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("policy guards: each limit stops for what it watches, and 0 is off") {
  std::vector<PolicyRow> rows(1);
  rows[0].objective_kl = 12;
  rows[0].entropy = 0.05;
  rows[0].repetition = 0.6;
  rows[0].clipped_ratio = 0.9;
  CHECK_FALSE(PolicyGuards{}.alarm(rows));
  CHECK_FALSE(PolicyGuards{.max_kl = 12, .min_entropy = 0.05, .max_repetition = 0.6, .max_clipped_ratio = 0.9}.alarm(rows));
  CHECK(PolicyGuards{.max_kl = 10}.alarm(rows) == "objective/kl is 12, above 10");
  CHECK(PolicyGuards{.min_entropy = 0.1}.alarm(rows) == "entropy is 0.05, below 0.1");
  CHECK(PolicyGuards{.max_repetition = 0.5}.alarm(rows) == "completions/repetition is 0.6, above 0.5");
  CHECK(PolicyGuards{.max_clipped_ratio = 0.5}.alarm(rows) == "completions/clipped_ratio is 0.9, above 0.5");
  rows[0].objective_kl = PolicyRow::none;
  CHECK_FALSE(PolicyGuards{.max_kl = 10}.alarm(rows));
}

TEST_CASE("policy guards: a reward that rises while the judge's falls is an alarm, once there is a window of both") {
  PolicyGuards const guards{.judge_window = 4};
  auto const rows_of = [](std::vector<double> const& reward, std::vector<double> const& judge) {
    std::vector<PolicyRow> rows(reward.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i].reward = reward[i];
      rows[i].judge = judge[i];
    }
    return rows;
  };
  CHECK_FALSE(guards.alarm(rows_of({1, 2, 3}, {3, 2, 1})));
  CHECK_FALSE(guards.alarm(rows_of({1, 2, 3, 4}, {1, 1, 2, 2})));
  CHECK_FALSE(guards.alarm(rows_of({9, 4, 3, 2, 1}, {9, 4, 3, 2, 1})));
  CHECK(guards.alarm(rows_of({9, 1, 2, 3, 4}, {0, 4, 3, 2, 1})) ==
        "over 4 iterations the reward rose from 1.5 to 3.5 while the judge's fell from 3.5 to 1.5");
}

TEST_CASE("policy metrics: repeated n-grams are counted once they stood before") {
  CHECK(repeated_ngrams(std::vector<std::int32_t>{1, 2, 3, 4}) == 0);
  CHECK(repeated_ngrams(std::vector<std::int32_t>{1, 2, 3, 4, 5, 6}) == 0);
  CHECK(repeated_ngrams(std::vector<std::int32_t>{1, 1, 1, 1, 1, 1}) == doctest::Approx(2.0 / 3));
}
