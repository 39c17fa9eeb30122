// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/concept.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/unpaired_loss.hpp>

#include <algorithm>
#include <span>

namespace graft {

/// KTO (Ethayarajh et al. 2024, eq. 8) on single answers that are desirable or not. With r = log π - log π_ref of an answer
/// and z the batch's KL estimate, not below 0:
///   desirable    λ_D·(1 - σ(β(r - z)))        undesirable  λ_U·(1 - σ(β(z - r)))
/// The value is the mean over the step's answers. z has no gradient. With `reference_point = false`, z is 0: APO-zero on
/// unpaired answers. Metrics: kl, and those of `mean_over_answers`.
/// Errors: [kto] a weight below 0, and those of `mean_over_answers`.
struct Kto {
  using Batch = UnpairedBatch;

  double beta = 0.1;              ///< β
  double desirable_weight = 1;    ///< λ_D
  double undesirable_weight = 1;  ///< λ_U
  bool reference_point = true;

  friend bool operator==(Kto const&, Kto const&) = default;

  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    require(desirable_weight >= 0 && undesirable_weight >= 0, "kto", "weights must be 0 or more: got ", desirable_weight, " and ",
            undesirable_weight);
    return mean_over_answers("kto", beta, stats, batch, gradient, [&](std::span<double const>, Metrics& metrics) {
      double const kl = reference_point ? std::max(batch.kl, 0.0) : 0;
      metrics.add("kl", kl);
      return [this, kl](double ratio, bool desirable) {
        double const weight = desirable ? desirable_weight : undesirable_weight, side = desirable ? 1 : -1;
        double const x = side * beta * (ratio - kl);
        return AnswerCost{weight * sigmoid(-x), -side * weight * beta * sigmoid(x) * sigmoid(-x)};
      };
    });
  }
};

static_assert(Loss<Kto>);

}  // namespace graft
