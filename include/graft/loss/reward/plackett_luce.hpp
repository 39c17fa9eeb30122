// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/reward/reward_batch.hpp>
#include <graft/loss/reward/reward_statistics.hpp>
#include <graft/loss/score_loss.hpp>

#include <algorithm>
#include <cmath>
#include <span>

namespace graft {

/// The mean, over groups, of the negative log-likelihood of the whole ranking r_1 ≻ r_2 ≻ … ≻ r_K: the best answer is drawn
/// from all by softmax, then the best of the rest, and so on,
///   -Σ_k [r_k - log Σ_{j ≥ k} exp r_j] + center_rewards_coefficient·(2/K·Σ r)².
/// For two answers it is `BradleyTerry` without a margin. Answers of equal rank do not compete: each is compared with the
/// worse ones only. A margin is an error, as the model has none.
/// Sources: Plackett, "The analysis of permutations", 1975; Luce, "Individual choice behavior", 1959; for reward models,
/// Zhu et al., "Principled reinforcement learning with human feedback from pairwise or K-wise comparisons", 2023, section 4.
struct PlackettLuce {
  using Batch = RewardBatch;

  double center_rewards_coefficient = 0;

  LossReport operator()(std::span<double const> scores, Batch const& batch, std::span<double> gradient) const {
    require(std::isfinite(center_rewards_coefficient) && center_rewards_coefficient >= 0, "plackett_luce",
            "center_rewards_coefficient must be 0 or more: got ", center_rewards_coefficient);
    RewardGroups const groups("plackett_luce", scores, batch, gradient);
    require(std::ranges::all_of(batch.margins, [](float margin) { return margin == 0; }), "plackett_luce",
            "margins belong to pairs: use bradley_terry, or leave them out");
    std::ranges::fill(gradient, 0.0);
    RewardStatistics statistics;
    statistics.add(scores, batch);
    LossReport report{.weight = static_cast<double>(groups.size()), .metrics = statistics.metrics()};
    double centering = 0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      auto const group = groups[g];
      std::size_t const end = group.first + group.size;
      double const share = 2 / static_cast<double>(group.size);
      double sum_of_pair = 0;  // as large as that of two average answers
      for (std::size_t k = group.first; k < end; ++k) sum_of_pair += share * scores[k];
      centering += sum_of_pair * sum_of_pair;
      for (std::size_t k = group.first; k < end; ++k) {
        auto const competes = [&](std::size_t j) { return j == k || batch.ranks[j] > batch.ranks[k]; };
        double top = scores[k], sum = 0;
        for (std::size_t j = k; j < end; ++j)
          if (competes(j)) top = std::max(top, scores[j]);
        for (std::size_t j = k; j < end; ++j)
          if (competes(j)) sum += std::exp(scores[j] - top);
        report.negative_log_likelihood += top + std::log(sum) - scores[k];
        for (std::size_t j = k; j < end; ++j)
          if (competes(j)) gradient[j] += std::exp(scores[j] - top) / (sum * groups.normalizer());
        gradient[k] += (2 * center_rewards_coefficient * sum_of_pair * share - 1) / groups.normalizer();
      }
    }
    report.value = (report.negative_log_likelihood + center_rewards_coefficient * centering) / groups.normalizer();
    return report;
  }
};

static_assert(ScoreLoss<PlackettLuce>);

}  // namespace graft
