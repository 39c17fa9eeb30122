// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/loss/reward/reward_batch.hpp>
#include <graft/loss/score_loss.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace graft::test {

/// Groups of answers by their ranks; the tokens are left out, as losses do not read them.
inline RewardBatch reward_batch(std::vector<std::vector<int>> const& groups, std::vector<float> margins = {}) {
  RewardBatch batch;
  batch.cu_groups = {0};
  for (auto const& group : groups) {
    for (int const rank : group) batch.ranks.push_back(rank);
    batch.cu_groups.push_back(static_cast<std::int32_t>(batch.ranks.size()));
  }
  batch.margins = std::move(margins);
  return batch;
}

[[nodiscard]] inline std::vector<double> random_scores(RewardBatch const& batch, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<double> scores(batch.ranks.size());
  for (double& score : scores) score = 1.5 * rng.normal();
  return scores;
}

/// The largest |analytic - numeric| over the largest |numeric|, by central differences; infinity where an entry of the
/// gradient was not written or all of it is zero.
template <ScoreLoss L>
[[nodiscard]] double score_gradient_error(L const& loss, typename L::Batch const& batch, std::vector<double> scores) {
  std::vector<double> gradient(scores.size(), std::numeric_limits<double>::quiet_NaN()), scratch(scores.size());
  (void)loss(scores, batch, gradient);
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(gradient[i])) return std::numeric_limits<double>::infinity();
    double const step = 1e-4, kept = scores[i];
    auto const at = [&](double value) {
      scores[i] = value;
      return loss(scores, batch, scratch).value;
    };
    double const numeric = (at(kept + step) - at(kept - step)) / (2 * step);
    scores[i] = kept;
    largest = std::max(largest, std::abs(numeric));
    worst = std::max(worst, std::abs(numeric - gradient[i]));
  }
  return largest > 0 ? worst / largest : std::numeric_limits<double>::infinity();
}

}  // namespace graft::test
