// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

#include <algorithm>

namespace graft {

/// SimPO (Meng et al. 2024, eq. 6): no reference, log-probabilities averaged over predictions, a margin γ to be won:
///   x = β(log π(+)/T+ - log π(-)/T-) - γ;   -(1-ε)·log σ(x) - ε·log σ(-x)
/// β is 2 … 10 here. Error: [simpo] ε outside [0, 0.5).
struct SimPo {
  static constexpr bool uses_reference = false;
  double gamma = 0.5;          ///< γ
  double label_smoothing = 0;  ///< ε

  friend bool operator==(SimPo const&, SimPo const&) = default;

  void check() const {
    require(label_smoothing >= 0 && label_smoothing < 0.5, "simpo", "label_smoothing must be in [0, 0.5): got ", label_smoothing);
  }
  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const chosen = std::max(pair.chosen.predictions, 1.0), rejected = std::max(pair.rejected.predictions, 1.0);
    double const x = step.beta * (pair.chosen.logp / chosen - pair.rejected.logp / rejected) - gamma;
    double const d = step.beta * (label_smoothing * sigmoid(x) - (1 - label_smoothing) * sigmoid(-x));
    slope.chosen.logp += d / chosen;
    slope.rejected.logp -= d / rejected;
    return -(1 - label_smoothing) * log_sigmoid(x) - label_smoothing * log_sigmoid(-x);
  }
};

}  // namespace graft
