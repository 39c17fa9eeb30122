// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/metrics.hpp>
#include <graft/loss/reward/reward_batch.hpp>

#include <algorithm>
#include <limits>
#include <span>

namespace graft {

/// What rewards look like, over one batch or many: the metrics min_reward, mean_reward, max_reward, accuracy and margin of
/// TRL's RewardTrainer. Accuracy and margin are over pairs of a better and a worse answer; equal rewards count as wrong.
struct RewardStatistics {
  double sum = 0;
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  double lead = 0;  ///< Σ over pairs of better - worse
  Index answers = 0, pairs = 0, right = 0;

  [[nodiscard]] double mean() const { return answers > 0 ? sum / static_cast<double>(answers) : 0; }
  [[nodiscard]] double accuracy() const { return pairs > 0 ? static_cast<double>(right) / static_cast<double>(pairs) : 0; }
  [[nodiscard]] double margin() const { return pairs > 0 ? lead / static_cast<double>(pairs) : 0; }

  /// Under TRL's names; of several batches, min_reward and max_reward are means over them.
  [[nodiscard]] Metrics metrics() const {
    Metrics metrics;
    metrics.add("min_reward", min);
    metrics.add("mean_reward", sum, static_cast<double>(answers));
    metrics.add("max_reward", max);
    metrics.add("accuracy", static_cast<double>(right), static_cast<double>(pairs));
    metrics.add("margin", lead, static_cast<double>(pairs));
    return metrics;
  }

  void add(std::span<double const> scores, RewardBatch const& batch) {
    for (double score : scores) {
      sum += score;
      min = std::min(min, score);
      max = std::max(max, score);
    }
    answers += static_cast<Index>(scores.size());
    for (std::size_t g = 0; g + 1 < batch.cu_groups.size(); ++g) {
      auto const end = static_cast<std::size_t>(batch.cu_groups[g + 1]);
      for (auto i = static_cast<std::size_t>(batch.cu_groups[g]); i < end; ++i)
        for (std::size_t j = i + 1; j < end; ++j) {
          if (batch.ranks[j] == batch.ranks[i]) continue;
          ++pairs;
          lead += scores[i] - scores[j];
          if (scores[i] > scores[j]) ++right;
        }
    }
  }
};

}  // namespace graft
