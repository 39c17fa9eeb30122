// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/reward/group_loss.hpp>
#include <graft/loss/score_loss.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
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
    require(std::ranges::all_of(batch.margins, [](float margin) { return margin == 0; }), "plackett_luce",
            "margins belong to pairs: use bradley_terry, or leave them out");
    return mean_over_groups("plackett_luce", center_rewards_coefficient, scores, batch, gradient,
                            [&](RewardGroup const& group, double normalizer) {
      GroupCost cost;
      std::size_t const end = group.first + group.size;
      double const share = 2 / static_cast<double>(group.size);
      double sum_of_pair = 0;  // as large as that of two average answers
      for (std::size_t k = group.first; k < end; ++k) sum_of_pair += share * scores[k];
      cost.centering = sum_of_pair * sum_of_pair;
      for (std::size_t k = group.first; k < end; ++k) {
        auto const competes = [&](std::size_t j) { return j == k || batch.ranks[j] > batch.ranks[k]; };
        double top = scores[k], sum = 0;
        for (std::size_t j = k; j < end; ++j)
          if (competes(j)) top = std::max(top, scores[j]);
        for (std::size_t j = k; j < end; ++j)
          if (competes(j)) sum += std::exp(scores[j] - top);
        cost.negative_log_likelihood += top + std::log(sum) - scores[k];
        for (std::size_t j = k; j < end; ++j)
          if (competes(j)) gradient[j] += std::exp(scores[j] - top) / (sum * normalizer);
        gradient[k] += (2 * center_rewards_coefficient * sum_of_pair * share - 1) / normalizer;
      }
      return cost;
    });
  }
};

static_assert(ScoreLoss<PlackettLuce>);

}  // namespace graft
