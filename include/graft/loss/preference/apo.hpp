// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

namespace graft {

/// APO-zero (D'Oosterlinck et al. 2024, eq. 7), for chosen answers better than the model's own: 1 - σ(βr+) + σ(βr-).
struct ApoZero {
  friend bool operator==(ApoZero const&, ApoZero const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const chosen = step.beta * pair.chosen.logratio(), rejected = step.beta * pair.rejected.logratio();
    slope.chosen.logp -= step.beta * sigmoid(chosen) * sigmoid(-chosen);
    slope.rejected.logp += step.beta * sigmoid(rejected) * sigmoid(-rejected);
    return sigmoid(-chosen) + sigmoid(rejected);
  }
};

/// APO-down (the same, eq. 8), for chosen answers worse than the model's own: σ(βr+) + 1 - σ(β(r+ - r-)).
struct ApoDown {
  friend bool operator==(ApoDown const&, ApoDown const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const chosen = step.beta * pair.chosen.logratio(), gap = chosen - step.beta * pair.rejected.logratio();
    double const d = step.beta * sigmoid(gap) * sigmoid(-gap);
    slope.chosen.logp += step.beta * sigmoid(chosen) * sigmoid(-chosen) - d;
    slope.rejected.logp += d;
    return sigmoid(chosen) + sigmoid(-gap);
  }
};

}  // namespace graft
