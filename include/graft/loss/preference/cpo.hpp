// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/chosen_nll.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

namespace graft {

/// CPO (Xu et al. 2024, eq. 5): DPO without a reference, and the chosen answer's NLL. With x = β(log π(+) - log π(-)):
///   -(1-ε)·log σ(x) - ε·log σ(-x) + α·NLL(+)
/// NLL is the step's mean a token. Error: [cpo] ε outside [0, 0.5), α < 0.
struct Cpo {
  static constexpr bool uses_reference = false;
  double label_smoothing = 0;  ///< ε
  double nll_weight = 1;       ///< α

  friend bool operator==(Cpo const&, Cpo const&) = default;

  void check() const {
    require(label_smoothing >= 0 && label_smoothing < 0.5, "cpo", "label_smoothing must be in [0, 0.5): got ", label_smoothing);
    require(nll_weight >= 0, "cpo", "nll_weight must be 0 or more: got ", nll_weight);
  }
  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const x = step.beta * (pair.chosen.logp - pair.rejected.logp);
    double const d = step.beta * (label_smoothing * sigmoid(x) - (1 - label_smoothing) * sigmoid(-x));
    slope.chosen.logp += d;
    slope.rejected.logp -= d;
    PairSlope nll;
    double const value = ChosenNll{}(step, pair, nll);
    slope.chosen.plain_logp += nll_weight * nll.chosen.plain_logp;
    return -(1 - label_smoothing) * log_sigmoid(x) - label_smoothing * log_sigmoid(-x) + nll_weight * value;
  }
};

}  // namespace graft
