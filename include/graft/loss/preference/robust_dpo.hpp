// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

namespace graft {

/// Robust DPO (Chowdhury et al. 2024, eq. 12), unbiased where a share ε of the labels is swapped. With x = β(s+ - s-):
///   (-(1-ε)·log σ(x) + ε·log σ(-x)) / (1 - 2ε)
/// Error: [robust] ε outside [0, 0.5).
struct RobustDpo {
  double label_smoothing = 0;  ///< ε

  friend bool operator==(RobustDpo const&, RobustDpo const&) = default;

  void check() const {
    require(label_smoothing >= 0 && label_smoothing < 0.5, "robust", "label_smoothing must be in [0, 0.5): got ", label_smoothing);
  }
  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const x = step.beta * (pair.chosen.score - pair.rejected.score);
    double const scale = 1 / (1 - 2 * label_smoothing);
    double const d = -step.beta * scale * ((1 - label_smoothing) * sigmoid(-x) + label_smoothing * sigmoid(x));
    slope.chosen.score += d;
    slope.rejected.score -= d;
    return scale * (-(1 - label_smoothing) * log_sigmoid(x) + label_smoothing * log_sigmoid(-x));
  }
};

}  // namespace graft
