// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/concept.hpp>
#include <graft/loss/reward/reward_batch.hpp>
#include <graft/loss/reward/reward_statistics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

namespace graft {

/// What one group of answers costs: its negative log-likelihood, and the square that centering weighs.
struct GroupCost {
  double negative_log_likelihood = 0;
  double centering = 0;
};

/// The mean over a step's groups of nll + center_rewards_coefficient·centering: what every loss on groups of answers has in common.
/// cost(group, normalizer) returns a group's cost and adds its slopes, divided by the normalizer, to the gradient.
/// Errors, under `tag`: a coefficient below 0, and those of `RewardGroups`.
template <class Cost>
[[nodiscard]] LossReport mean_over_groups(std::string_view tag, double center_rewards_coefficient, std::span<double const> scores,
                                          RewardBatch const& batch, std::span<double> gradient, Cost&& cost) {
  require(std::isfinite(center_rewards_coefficient) && center_rewards_coefficient >= 0, tag,
          "center_rewards_coefficient must be 0 or more: got ", center_rewards_coefficient);
  RewardGroups const groups(tag, scores, batch, gradient);
  std::ranges::fill(gradient, 0.0);
  RewardStatistics statistics;
  statistics.add(scores, batch);
  LossReport report{.weight = static_cast<double>(groups.size()), .metrics = statistics.metrics()};
  double centering = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    GroupCost const of_group = cost(groups[g], groups.normalizer());
    report.negative_log_likelihood += of_group.negative_log_likelihood;
    centering += of_group.centering;
  }
  report.value = (report.negative_log_likelihood + center_rewards_coefficient * centering) / groups.normalizer();
  return report;
}

}  // namespace graft
