// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

namespace graft {

/// BCO on pairs without its reward shift (Jung et al. 2024), as TRL's `bco_pair`: -log σ(βr+) - log σ(-βr-).
struct BcoPair {
  friend bool operator==(BcoPair const&, BcoPair const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const chosen = step.beta * pair.chosen.logratio(), rejected = step.beta * pair.rejected.logratio();
    slope.chosen.logp -= step.beta * sigmoid(-chosen);
    slope.rejected.logp += step.beta * sigmoid(rejected);
    return -log_sigmoid(chosen) - log_sigmoid(-rejected);
  }
};

}  // namespace graft
