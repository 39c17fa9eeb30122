// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

namespace graft {

/// DPO's own loss (Rafailov et al. 2023, eq. 7), with a share ε of labels taken to be swapped (conservative DPO). With
/// s± the scores of the two answers:
///   -(1-ε)·log σ(β(s+ - s-)) - ε·log σ(-β(s+ - s-))
/// Error: [dpo] ε outside [0, 0.5).
struct DpoSigmoid {
  double label_smoothing = 0;  ///< ε

  friend bool operator==(DpoSigmoid const&, DpoSigmoid const&) = default;

  void check() const {
    require(label_smoothing >= 0 && label_smoothing < 0.5, "dpo", "label_smoothing must be in [0, 0.5): got ", label_smoothing);
  }
  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const x = step.beta * (pair.chosen.score - pair.rejected.score);
    double const d = step.beta * (label_smoothing * sigmoid(x) - (1 - label_smoothing) * sigmoid(-x));
    slope.chosen.score += d;
    slope.rejected.score -= d;
    return -(1 - label_smoothing) * log_sigmoid(x) - label_smoothing * log_sigmoid(-x);
  }
};

}  // namespace graft
