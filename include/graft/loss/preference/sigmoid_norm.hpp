// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

#include <algorithm>

namespace graft {

/// Length-normalised DPO (Tülu 3, Lambert et al. 2024, section 5.1.2): -log σ(β(s+/T+ - s-/T-)), scores averaged over the
/// tokens of each completion. β is larger here than in DPO: a mean is smaller than a sum.
struct SigmoidNorm {
  friend bool operator==(SigmoidNorm const&, SigmoidNorm const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const chosen = std::max(pair.chosen.tokens, 1.0), rejected = std::max(pair.rejected.tokens, 1.0);
    double const x = step.beta * (pair.chosen.score / chosen - pair.rejected.score / rejected);
    slope.chosen.score -= step.beta * sigmoid(-x) / chosen;
    slope.rejected.score += step.beta * sigmoid(-x) / rejected;
    return -log_sigmoid(x);
  }
};

}  // namespace graft
