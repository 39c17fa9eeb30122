// SPDX-License-Identifier: Apache-2.0
#include <graft/train/verifiable_rewards.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <cmath>
#include <limits>

using namespace graft;

namespace {

Sample sample(std::string_view completion, std::string_view expected = "") { return {.prompt = "", .completion = completion, .expected = expected, .record = "", .ids = {}}; }

}  // namespace

TEST_CASE("rewards: exact match, JSON and numbers") {
  CHECK(exact_match(sample(" yes\n", "yes")) == 1);
  CHECK(exact_match(sample("Yes", "yes")) == 0);
  CHECK(json_valid(sample("{\"a\": [1, 2]}")) == 1);
  CHECK(json_valid(sample("```json\n{\"a\": 1}\n```")) == 1);
  CHECK(json_valid(sample("Sure: {\"a\": 1}")) == 0);
  CHECK(json_valid(sample("")) == 0);
  CHECK(json_valid(sample("```")) == 0);

  CHECK(last_number("it costs $1,234.50.") == 1234.5);
  CHECK(last_number("5 - 8 = -3") == -3);
  CHECK(last_number("8-3") == 3);
  CHECK(last_number("so 12%") == 12);
  CHECK(last_number("#### 7 and 9 #### 8") == 8);
  CHECK_FALSE(last_number("none").has_value());
  CHECK(arithmetic_answer(sample("The answer is 42.", "6 * 7 = <<6*7=42>>42\n#### 42")) == 1);
  CHECK(arithmetic_answer(sample("I got 41 or 43", "#### 42")) == 0);
  CHECK(arithmetic_answer(sample("no idea", "#### 42")) == 0);
  CHECK(std::isnan(arithmetic_answer(sample("1", "no number"))));
}

TEST_CASE("rewards: penalties of length and repetition, sums, and names") {
  std::vector<std::int32_t> const ids{1, 2, 3, 1, 2, 3, 1, 2};
  Sample const of_ids{.prompt = "", .completion = "x", .expected = "x", .record = "", .ids = ids};
  CHECK(length_penalty(4, 12)(of_ids) == -0.5);
  CHECK(length_penalty(8, 12)(of_ids) == 0);
  CHECK(length_penalty(1, 3)(of_ids) == -1);
  CHECK(repetition_penalty(2)(of_ids) == doctest::Approx(-4.0 / 7));
  CHECK(repetition_penalty(9)(of_ids) == 0);
  auto const none = [](Sample const&) { return std::numeric_limits<double>::quiet_NaN(); };
  CHECK(weighted_sum({{2, exact_match}, {1, none}, {0.5, length_penalty(4, 12)}})(of_ids) == 1.75);
  CHECK(std::isnan(weighted_sum({{1, none}, {1, none}})(of_ids)));
  CHECK(named_reward("exact_match")(of_ids) == 1);
  CHECK(named_reward("length_penalty:4:12")(of_ids) == -0.5);
  CHECK(named_reward("repetition_penalty:2")(of_ids) == doctest::Approx(-4.0 / 7));
  for (auto const* wrong : {"exact", "length_penalty", "length_penalty:4", "length_penalty:a:b", "repetition_penalty:2:3"})
    CHECK(test::message_of([&] { (void)named_reward(wrong); }).find("unknown reward") != std::string::npos);
  CHECK(test::message_of([] { (void)named_reward("length_penalty:9:4"); }).find("got 9 and 4") != std::string::npos);
}
