// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/pair.hpp>

#include <algorithm>

namespace graft {

/// The hinge of SLiC and RSO (Liu et al. 2023, "Statistical rejection sampling"): max(0, 1 - β(s+ - s-)).
struct DpoHinge {
  friend bool operator==(DpoHinge const&, DpoHinge const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const value = 1 - step.beta * (pair.chosen.score - pair.rejected.score);
    if (value > 0) {
      slope.chosen.score -= step.beta;
      slope.rejected.score += step.beta;
    }
    return std::max(value, 0.0);
  }
};

}  // namespace graft
