// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/pair.hpp>

#include <algorithm>

namespace graft {

/// IPO (Azar et al. 2023, eq. 17): (s+/T+ - s-/T- - 1/(2β))², the scores averaged over the T tokens of each completion, as
/// its authors do and TRL's DPOTrainer does; without `length_normalized` the sums that the paper writes and TRL's OnlineDPOTrainer takes.
/// β is the paper's τ.
struct Ipo {
  bool length_normalized = true;

  friend bool operator==(Ipo const&, Ipo const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const chosen = length_normalized ? std::max(pair.chosen.tokens, 1.0) : 1;
    double const rejected = length_normalized ? std::max(pair.rejected.tokens, 1.0) : 1;
    double const x = pair.chosen.score / chosen - pair.rejected.score / rejected - 1 / (2 * step.beta);
    slope.chosen.score += 2 * x / chosen;
    slope.rejected.score -= 2 * x / rejected;
    return x * x;
  }
};

}  // namespace graft
