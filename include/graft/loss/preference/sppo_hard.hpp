// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/pair.hpp>

namespace graft {

/// SPPO with hard labels (Wu et al. 2024, eq. 4.7 with P = 1 for the winner): (r+ - 1/(2β))² + (r- + 1/(2β))².
struct SppoHard {
  friend bool operator==(SppoHard const&, SppoHard const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const chosen = pair.chosen.logratio() - 0.5 / step.beta;
    double const rejected = pair.rejected.logratio() + 0.5 / step.beta;
    slope.chosen.logp += 2 * chosen;
    slope.rejected.logp += 2 * rejected;
    return chosen * chosen + rejected * rejected;
  }
};

}  // namespace graft
