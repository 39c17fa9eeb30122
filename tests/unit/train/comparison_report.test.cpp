// SPDX-License-Identifier: Apache-2.0
#include <graft/train/comparison_report.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/message_of.hpp>

using namespace graft;
using namespace graft::test;

namespace graft::test {

/// 40 records of which the first `right` are exact; the NLL of record i is base + i/100 over 10 tokens.
inline ConditionResult condition_of(std::string name, std::size_t right, double base) {
  ConditionResult result{.name = std::move(name)};
  for (std::size_t i = 0; i < 40; ++i) {
    result.scores.push_back({i < right, i < right ? 1.0 : 0.5});
    result.nll.push_back(base + static_cast<double>(i) / 100);
    result.tokens.push_back(10);
  }
  return result;
}

}  // namespace graft::test

TEST_CASE("comparison: rates, intervals and tests are those of the statistics on the paired records") {
  std::vector<ConditionResult> conditions{condition_of("untuned", 0, 30), condition_of("prompted", 4, 20),
                                          condition_of("tuned", 36, 1)};
  conditions[2].nll[7] += 0.5;
  auto const report = compare_conditions(conditions, "tuned", 5);
  REQUIRE(report.conditions.size() == 3);
  CHECK(report.conditions[2].exact_match.estimate == 0.9);
  CHECK(report.conditions[2].exact_match.low == wilson_interval(36, 40).low);
  CHECK(report.conditions[1].field_accuracy.estimate == doctest::Approx(0.55));
  CHECK(*report.conditions[0].nll_per_token == doctest::Approx((30 + 0.195) / 10));
  REQUIRE(report.comparisons.size() == 2);
  CHECK(report.comparisons[0].against == "untuned");
  CHECK(report.comparisons[0].mcnemar_p == doctest::Approx(2 * std::pow(0.5, 36)).scale(0).epsilon(1e-9));
  CHECK(report.comparisons[1].mcnemar_p == doctest::Approx(2 * std::pow(0.5, 32)).scale(0).epsilon(1e-9));
  CHECK(report.comparisons[1].exact_match_gain.estimate == doctest::Approx(0.8));
  CHECK(report.comparisons[1].nll_change->difference.estimate == doctest::Approx(-1.9 + 0.05 / 40));
  CHECK(report.comparisons[1].nll_change->difference.high < -1.8);
}

TEST_CASE("comparison: the text has a line a condition and a sentence a comparison") {
  std::vector<ConditionResult> conditions{condition_of("untuned", 0, 30), condition_of("few-shot (3)", 4, 20),
                                          condition_of("tuned", 40, 1)};
  conditions[1].nll.clear();
  conditions[1].tokens.clear();
  auto const text = to_text(compare_conditions(conditions, "tuned"));
  INFO(text);
  CHECK(text.find("untuned         0.0 %  [  0.0,   8.8]        50.0 %  [ 50.0,  50.0]      3.0195\n") !=
        std::string::npos);
  CHECK(text.find("few-shot (3)   10.0 %  [") != std::string::npos);
  CHECK(text.find("       -\ntuned         100.0 %  [ 91.2, 100.0]") != std::string::npos);
  CHECK(text.find("on 40 held-out records\n") != std::string::npos);
  CHECK(text.find("tuned against untuned: exact match +100.0 points [+100.0, +100.0], McNemar p = 1.8e-12; "
                  "NLL/token -2.9000 [-2.9000, -2.9000], paired t p ") != std::string::npos);
  CHECK(text.find("tuned against few-shot (3): exact match +90.0 points") != std::string::npos);
}

TEST_CASE("comparison: the JSON holds the same numbers and leaves out what was not measured") {
  std::vector<ConditionResult> conditions{condition_of("untuned", 10, 3), condition_of("tuned", 12, 2)};
  conditions[0].nll.clear();
  conditions[0].tokens.clear();
  auto const report = compare_conditions(conditions, "tuned");
  auto const json = nlohmann::json::parse(to_json(report));
  CHECK(json["subject"] == "tuned");
  CHECK(json["conditions"][1]["exact_match"]["high"] == report.conditions[1].exact_match.high);
  CHECK(json["conditions"][1]["records"] == 40);
  CHECK_FALSE(json["conditions"][0].contains("nll_per_token"));
  CHECK(json["comparisons"][0]["mcnemar_p"] == 0.5);
  CHECK_FALSE(json["comparisons"][0].contains("nll_p"));
}

TEST_CASE("comparison: conditions that are no pairs are refused by name") {
  auto const says = [](std::vector<ConditionResult> const& conditions, std::string_view subject = "a") {
    return message_of([&] { (void)compare_conditions(conditions, subject); });
  };
  CHECK(says({}).find("got none") != std::string::npos);
  CHECK(says({ConditionResult{.name = "a"}}).find("got none") != std::string::npos);
  auto longer = condition_of("b", 1, 1);
  longer.scores.emplace_back();
  CHECK(says({condition_of("a", 1, 1), longer}).find("got 41 for b and 40 for a") != std::string::npos);
  auto missing = condition_of("b", 1, 1);
  missing.nll.pop_back();
  CHECK(says({condition_of("a", 1, 1), missing}).find("got 39 and 40 for 40 records of b") != std::string::npos);
  auto empty = condition_of("b", 1, 1);
  empty.tokens[3] = 0;
  CHECK(says({empty}).find("must have tokens: got 0 in b") != std::string::npos);
  CHECK(says({condition_of("a", 1, 1)}, "tuned") == "[report] the subject must be one of the conditions: got 'tuned'");
}
