// SPDX-License-Identifier: Apache-2.0
#include <graft/train/comparison_report.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace graft {

namespace detail {

GRAFT_INLINE void check_conditions(std::vector<ConditionResult> const& conditions) {
  require(!conditions.empty() && !conditions[0].scores.empty(), "report", "there must be records to compare: got none");
  for (auto const& condition : conditions) {
    require(condition.scores.size() == conditions[0].scores.size(), "report",
            "all conditions must be measured on the same records: got ", condition.scores.size(), " for ",
            condition.name, " and ", conditions[0].scores.size(), " for ", conditions[0].name);
    require((condition.nll.empty() || condition.nll.size() == condition.scores.size()) &&
                condition.nll.size() == condition.tokens.size(),
            "report", "a condition must have an nll and a token count for every record or for none: got ",
            condition.nll.size(), " and ", condition.tokens.size(), " for ", condition.scores.size(), " records of ",
            condition.name);
    for (Index const count : condition.tokens)
      require(count > 0, "report", "every expected answer must have tokens: got ", count, " in ", condition.name);
  }
}

[[nodiscard]] GRAFT_INLINE std::vector<double> exact_values(ConditionResult const& condition) {
  std::vector<double> values;
  for (auto const& score : condition.scores) values.push_back(score.exact ? 1 : 0);
  return values;
}

[[nodiscard]] GRAFT_INLINE std::vector<bool> exact_flags(ConditionResult const& condition) {
  std::vector<bool> flags;
  for (auto const& score : condition.scores) flags.push_back(score.exact);
  return flags;
}

[[nodiscard]] GRAFT_INLINE std::vector<double> mean_nll(ConditionResult const& condition) {
  std::vector<double> values;
  for (std::size_t i = 0; i < condition.nll.size(); ++i)
    values.push_back(condition.nll[i] / static_cast<double>(condition.tokens[i]));
  return values;
}

[[nodiscard]] GRAFT_INLINE ConditionSummary summarize(ConditionResult const& condition, std::uint64_t seed) {
  ConditionSummary summary{.name = condition.name, .records = static_cast<Index>(condition.scores.size())};
  std::vector<double> fields;
  Index exact = 0;
  for (auto const& score : condition.scores) {
    exact += score.exact;
    fields.push_back(score.field_accuracy);
  }
  summary.exact_match = wilson_interval(exact, summary.records);
  summary.field_accuracy = bootstrap_mean(fields, seed);
  if (!condition.nll.empty()) {
    double nll = 0;
    double tokens = 0;
    for (std::size_t i = 0; i < condition.nll.size(); ++i) {
      nll += condition.nll[i];
      tokens += static_cast<double>(condition.tokens[i]);
    }
    summary.nll_per_token = nll / tokens;
  }
  return summary;
}

[[nodiscard]] GRAFT_INLINE PairedComparison compare_pair(ConditionResult const& subject, ConditionResult const& other,
                                                         std::uint64_t seed) {
  PairedComparison comparison{.against = other.name};
  comparison.exact_match_gain = paired_bootstrap(exact_values(other), exact_values(subject), seed);
  comparison.mcnemar_p = mcnemar_exact(exact_flags(other), exact_flags(subject));
  if (subject.nll.size() >= 2 && !other.nll.empty())
    comparison.nll_change = paired_t_test(mean_nll(other), mean_nll(subject));
  return comparison;
}

template <class... Values>
[[nodiscard]] std::string print(char const* format, Values... values) {
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

[[nodiscard]] GRAFT_INLINE std::string percent(Interval const& interval) {
  return print("%5.1f %%  [%5.1f, %5.1f]", 100 * interval.estimate, 100 * interval.low, 100 * interval.high);
}

[[nodiscard]] GRAFT_INLINE std::string p_value(double p) {
  return p < 1e-16 ? "p < 1e-16" : print(p < 0.001 ? "p = %.1e" : "p = %.3f", p);
}

[[nodiscard]] GRAFT_INLINE nlohmann::ordered_json interval_json(Interval const& interval) {
  return {{"estimate", interval.estimate}, {"low", interval.low}, {"high", interval.high}};
}

}  // namespace detail

GRAFT_INLINE ComparisonReport compare_conditions(std::vector<ConditionResult> const& conditions,
                                                 std::string_view subject, std::uint64_t seed) {
  detail::check_conditions(conditions);
  auto const chosen = std::find_if(conditions.begin(), conditions.end(),
                                   [&](ConditionResult const& condition) { return condition.name == subject; });
  require(chosen != conditions.end(), "report", "the subject must be one of the conditions: got '", subject, "'");
  ComparisonReport report{.subject = std::string(subject)};
  for (auto const& condition : conditions) {
    report.conditions.push_back(detail::summarize(condition, seed));
    if (&condition != &*chosen) report.comparisons.push_back(detail::compare_pair(*chosen, condition, seed));
  }
  return report;
}

GRAFT_INLINE std::string to_text(ComparisonReport const& report) {
  std::size_t width = 9;
  for (auto const& condition : report.conditions) width = std::max(width, condition.name.size());
  auto const padded = [&](std::string const& name) { return name + std::string(width - name.size(), ' '); };
  Index const records = report.conditions.empty() ? 0 : report.conditions[0].records;
  std::string text = padded("condition") + "  exact match  [95 %]       field accuracy  [95 %]    NLL/token\n";
  for (auto const& condition : report.conditions)
    text += padded(condition.name) + "  " + detail::percent(condition.exact_match) + "       " +
            detail::percent(condition.field_accuracy) + "    " +
            (condition.nll_per_token ? detail::print("%8.4f", *condition.nll_per_token) : "       -") + "\n";
  text += "on " + std::to_string(records) + " held-out records\n";
  for (auto const& comparison : report.comparisons) {
    auto const& gain = comparison.exact_match_gain;
    text +=
        report.subject + " against " + comparison.against + ": exact match " +
        detail::print("%+.1f points [%+.1f, %+.1f], McNemar ", 100 * gain.estimate, 100 * gain.low, 100 * gain.high) +
        detail::p_value(comparison.mcnemar_p);
    if (comparison.nll_change) {
      auto const& change = comparison.nll_change->difference;
      text += detail::print("; NLL/token %+.4f [%+.4f, %+.4f], paired t ", change.estimate, change.low, change.high) +
              detail::p_value(comparison.nll_change->p_value);
    }
    text += "\n";
  }
  return text;
}

GRAFT_INLINE std::string to_json(ComparisonReport const& report) {
  nlohmann::ordered_json json{{"conditions", nlohmann::ordered_json::array()},
                              {"subject", report.subject},
                              {"comparisons", nlohmann::ordered_json::array()}};
  for (auto const& condition : report.conditions) {
    nlohmann::ordered_json entry{{"name", condition.name},
                                 {"records", condition.records},
                                 {"exact_match", detail::interval_json(condition.exact_match)},
                                 {"field_accuracy", detail::interval_json(condition.field_accuracy)}};
    if (condition.nll_per_token) entry["nll_per_token"] = *condition.nll_per_token;
    json["conditions"].push_back(entry);
  }
  for (auto const& comparison : report.comparisons) {
    nlohmann::ordered_json entry{{"against", comparison.against},
                                 {"exact_match_gain", detail::interval_json(comparison.exact_match_gain)},
                                 {"mcnemar_p", comparison.mcnemar_p}};
    if (comparison.nll_change) {
      entry["nll_per_token_change"] = detail::interval_json(comparison.nll_change->difference);
      entry["nll_p"] = comparison.nll_change->p_value;
    }
    json["comparisons"].push_back(entry);
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace graft
