// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/train/answer_score.hpp>
#include <graft/train/statistics.hpp>
#include <graft/train/student_t.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// What was measured under one condition (untuned, prompted, few-shot, tuned …), record by record in the same order.
struct ConditionResult {
  std::string name{};
  std::vector<AnswerScore> scores{};  ///< one a record
  std::vector<double> nll{};          ///< Σ -log p of each record's expected answer; empty: not measured
  std::vector<Index> tokens{};        ///< tokens of each expected answer; as many as `nll`
};

/// One condition in numbers, intervals of 95 %.
struct ConditionSummary {
  std::string name{};
  Index records = 0;
  Interval exact_match{};                 ///< Wilson
  Interval field_accuracy{};              ///< bootstrap of the mean over records
  std::optional<double> nll_per_token{};  ///< Σ nll / Σ tokens
};

/// The subject against another condition on the same records.
struct PairedComparison {
  std::string against{};
  Interval exact_match_gain{};             ///< subject - other, bootstrap over records
  double mcnemar_p = 1;                    ///< exact, two-sided
  std::optional<PairedTest> nll_change{};  ///< of nll per token of each record, subject - other
};

struct ComparisonReport {
  std::vector<ConditionSummary> conditions{};
  std::string subject{};                        ///< the condition whose gain is tested
  std::vector<PairedComparison> comparisons{};  ///< with every other condition, in their order
};

/// Compares conditions measured on the same records; `subject` is the name of the one whose gain is asked for. The seed is
/// the bootstraps'. Errors: [report] for no records, conditions of different length, or a subject that is not among them.
[[nodiscard]] ComparisonReport compare_conditions(std::vector<ConditionResult> const& conditions,
                                                  std::string_view subject, std::uint64_t seed = 0);

/// The report as a table with a sentence a comparison, in plain text.
[[nodiscard]] std::string to_text(ComparisonReport const& report);

/// The report as a JSON object.
[[nodiscard]] std::string to_json(ComparisonReport const& report);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/train/comparison_report.tpp>
#endif
