// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/reward/group_loss.hpp>
#include <graft/loss/score_loss.hpp>

#include <cstddef>
#include <span>

namespace graft {

/// The mean, over groups, of the mean over a group's pairs of a better answer i and a worse answer j of
///   -log sigmoid(r_i - r_j - margin) + center_rewards_coefficient·(r_i + r_j)².
/// A group of two is the plain pair of TRL's RewardTrainer; a ranking of K answers without ties has K·(K - 1)/2 pairs, all
/// in one batch element, so that none of its answers weighs more than once. Pairs of equal rank are left out; a group in
/// which nothing is known adds nothing, but counts in the mean.
/// Sources: Bradley and Terry, "Rank analysis of incomplete block designs", 1952; Ouyang et al., "Training language models
/// to follow instructions with human feedback", 2022, equation 1; the margin, Touvron et al., "Llama 2", 2023, section
/// 3.2.2; centering, Eisenstein et al., "Helping or herding?", 2023, equation 2.
struct BradleyTerry {
  using Batch = RewardBatch;

  double center_rewards_coefficient = 0;

  LossReport operator()(std::span<double const> scores, Batch const& batch, std::span<double> gradient) const {
    return mean_over_groups("bradley_terry", center_rewards_coefficient, scores, batch, gradient,
                            [&](RewardGroup const& group, double normalizer) {
      auto const for_each_pair = [&](auto&& f) {
        for (std::size_t i = group.first; i < group.first + group.size; ++i)
          for (std::size_t j = i + 1; j < group.first + group.size; ++j)
            if (batch.ranks[j] > batch.ranks[i]) f(i, j);
      };
      GroupCost cost;
      double pairs = 0;
      for_each_pair([&](std::size_t, std::size_t) { ++pairs; });
      for_each_pair([&](std::size_t i, std::size_t j) {
        double const lead = scores[i] - scores[j] - group.margin, sum = scores[i] + scores[j];
        cost.negative_log_likelihood -= log_sigmoid(lead) / pairs;
        cost.centering += sum * sum / pairs;
        double const scale = 1 / (pairs * normalizer);
        double const pull = scale * sigmoid(-lead), weigh = scale * center_rewards_coefficient * 2 * sum;
        gradient[i] += weigh - pull;
        gradient[j] += weigh + pull;
      });
      return cost;
    });
  }
};

static_assert(ScoreLoss<BradleyTerry>);

}  // namespace graft
