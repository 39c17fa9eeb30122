// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/concept.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/unpaired_loss.hpp>

#include <span>

namespace graft {

/// BCO (Jung et al., "Binary classifier optimization for large language model alignment", 2024, eq. 10) on single answers that are
/// desirable or not. With the reward r = β·(log π - log π_ref) of an answer:
///   desirable  -log σ(r - δ)        undesirable  -log σ(-(r - δ))
/// The value is the mean over the step's answers. δ, which has no gradient, is the mean reward of all answers seen so far, those of
/// this micro-batch included, as in TRL's BCOTrainer; the batch brings those of earlier steps. TRL's weights by underlying
/// distribution are not here. Metrics: delta, and those of `mean_over_answers`.
struct Bco {
  using Batch = UnpairedBatch;

  double beta = 0.1;  ///< β

  friend bool operator==(Bco const&, Bco const&) = default;

  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    return mean_over_answers("bco", beta, stats, batch, gradient, [&](std::span<double const> ratios, Metrics& metrics) {
      double sum = batch.past_reward;
      for (double const ratio : ratios) sum += beta * ratio;
      double const delta = sum / (batch.past_answers + static_cast<double>(ratios.size()));
      metrics.add("delta", delta);
      return [this, delta](double ratio, bool desirable) {
        double const side = desirable ? 1 : -1, x = side * (beta * ratio - delta);
        return AnswerCost{-log_sigmoid(x), -side * beta * sigmoid(-x)};
      };
    });
  }
};

static_assert(Loss<Bco>);

}  // namespace graft
