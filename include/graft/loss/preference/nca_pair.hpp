// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

namespace graft {

/// NCA on pairs (Chen et al. 2024, "Noise contrastive alignment"). With r± the log-ratios of the answers:
///   -log σ(βr+) - ½·log σ(-βr+) - ½·log σ(-βr-)
/// It holds the chosen answer's own likelihood up, which DPO lets fall.
struct NcaPair {
  friend bool operator==(NcaPair const&, NcaPair const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const chosen = step.beta * pair.chosen.logratio(), rejected = step.beta * pair.rejected.logratio();
    slope.chosen.logp += step.beta * (0.5 * sigmoid(chosen) - sigmoid(-chosen));
    slope.rejected.logp += step.beta * 0.5 * sigmoid(rejected);
    return -log_sigmoid(chosen) - 0.5 * log_sigmoid(-chosen) - 0.5 * log_sigmoid(-rejected);
  }
};

}  // namespace graft
