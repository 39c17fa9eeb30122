// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/reward/reward_statistics.hpp>
#include <graft/model/transformer.hpp>
#include <graft/train/calibration.hpp>
#include <graft/train/evaluate.hpp>
#include <graft/train/statistics.hpp>

#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

namespace graft {

/// What a reward model knows of comparisons whose outcome is known: how often the better answer has more reward, and how
/// far P(better) = sigmoid(r_better - r_worse) can be believed.
struct RewardQuality {
  RewardStatistics statistics;
  Calibration calibration;
  double negative_log_likelihood = 0;  ///< Σ -log P(better), margins left out

  [[nodiscard]] double mean_nll() const {
    return statistics.pairs > 0 ? negative_log_likelihood / static_cast<double>(statistics.pairs) : 0;
  }
  /// With Wilson's 95 % interval. It takes pairs as independent: for rankings, whose pairs share answers, it is too narrow.
  [[nodiscard]] Interval accuracy() const {
    return statistics.pairs > 0 ? wilson_interval(statistics.right, statistics.pairs) : Interval{0, 0, 1};
  }
  void add(std::span<double const> scores, std::span<std::int32_t const> ranks) {
    RewardBatch group;
    group.cu_groups = {0, static_cast<std::int32_t>(scores.size())};
    group.ranks.assign(ranks.begin(), ranks.end());
    statistics.add(scores, group);
    for (std::size_t i = 0; i < scores.size(); ++i)
      for (std::size_t j = i + 1; j < scores.size(); ++j) {
        if (ranks[j] == ranks[i]) continue;
        double const lead = scores[i] - scores[j];
        negative_log_likelihood -= log_sigmoid(lead);
        calibration.add(sigmoid(std::abs(lead)), lead > 0);
      }
  }
};

/// The same over a data set, whole and by source.
struct RewardEvaluation {
  RewardQuality all;
  std::vector<RewardQuality> by_source;  ///< in the order of the data set's sources
  std::vector<std::vector<double>> rewards;  ///< of each group in the order of the batches, best answer first

  /// As `EvaluateEvery` takes it.
  [[nodiscard]] operator EvaluationSummary() const {
    auto const accuracy = all.accuracy();
    EvaluationSummary summary{.loss = all.mean_nll(), .supervised_tokens = all.statistics.pairs, .metrics = all.statistics.metrics()};
    summary.metrics.add("accuracy_low", accuracy.low);
    summary.metrics.add("accuracy_high", accuracy.high);
    summary.metrics.add("ece", all.calibration.expected_error());
    summary.metrics.add("brier", all.calibration.brier());
    std::ostringstream remarks;
    remarks << std::setprecision(3) << "accuracy " << accuracy.estimate << " [" << accuracy.low << ", " << accuracy.high << "]  margin "
            << all.statistics.margin();
    summary.remarks = remarks.str();
    return summary;
  }
};

/// Adds the groups of one batch. Dropout is off.
template <class Model>
void evaluate_reward_batch(Model& model, RewardBatch const& batch, RewardEvaluation& evaluation) {
  model.forward(batch, {.heads = Heads::score});
  auto const scores = model.scores();
  require(static_cast<Index>(scores.size()) == batch.sequences(), "evaluate", "a reward is one number for each answer: got ",
          scores.size(), " scores for ", batch.sequences(), " answers");
  for (std::size_t g = 0; g + 1 < batch.cu_groups.size(); ++g) {
    auto const first = static_cast<std::size_t>(batch.cu_groups[g]), size = static_cast<std::size_t>(batch.cu_groups[g + 1]) - first;
    auto const rewards = scores.subspan(first, size);
    auto const ranks = std::span(batch.ranks).subspan(first, size);
    evaluation.all.add(rewards, ranks);
    evaluation.rewards.emplace_back(rewards.begin(), rewards.end());
    if (batch.sources.empty() || batch.sources[g] < 0) continue;
    auto const source = static_cast<std::size_t>(batch.sources[g]);
    if (source >= evaluation.by_source.size()) evaluation.by_source.resize(source + 1);
    evaluation.by_source[source].add(rewards, ranks);
  }
}

/// One pass over all batches of a range, without gradients.
template <class Model, class Batches>
[[nodiscard]] RewardEvaluation evaluate_reward(Model& model, Batches&& batches) {
  RewardEvaluation evaluation;
  for (auto const& batch : batches) evaluate_reward_batch(model, batch, evaluation);
  return evaluation;
}

/// A table for people: a line for all and one for each of `sources`, then the bins of the calibration.
inline void print_reward_evaluation(std::ostream& out, RewardEvaluation const& evaluation, std::vector<std::string> const& sources) {
  std::ostringstream table;
  table << std::fixed << std::setprecision(3);
  auto const line = [&](std::string const& name, RewardQuality const& quality) {
    auto const accuracy = quality.accuracy();
    table << std::left << std::setw(20) << name << std::right << std::setw(7) << quality.statistics.pairs << "  " << accuracy.estimate << " ["
          << accuracy.low << ", " << accuracy.high << "]" << std::setw(9) << quality.statistics.margin() << std::setw(8) << quality.mean_nll()
          << std::setw(8) << quality.calibration.expected_error() << std::setw(8) << quality.calibration.brier() << '\n';
  };
  table << std::left << std::setw(20) << "source" << "  pairs  accuracy [95 %]         margin     nll     ece   brier\n";
  line("all", evaluation.all);
  for (std::size_t s = 0; s < evaluation.by_source.size(); ++s) line(s < sources.size() ? sources[s] : "?", evaluation.by_source[s]);
  table << "confidence  pairs  right\n";
  for (auto const& bin : evaluation.all.calibration.bins())
    if (bin.answers > 0)
      table << std::setw(10) << bin.mean_confidence() << std::setw(7) << bin.answers << "  " << bin.share_right() << '\n';
  out << table.str();
}

}  // namespace graft
