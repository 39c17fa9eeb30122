// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

#include <cmath>

namespace graft {

/// DiscoPOP (Lu et al. 2024, eq. 5), found by a program search. With x = β(s+ - s-) and m = σ(x/τ):
///   -(1-m)·log σ(x) + m·e^-x
/// Error: [discopop] τ not positive.
struct DiscoPop {
  double tau = 0.05;  ///< τ

  friend bool operator==(DiscoPop const&, DiscoPop const&) = default;

  void check() const { require(tau > 0, "discopop", "tau must be positive: got ", tau); }
  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const x = step.beta * (pair.chosen.score - pair.rejected.score);
    double const m = sigmoid(x / tau), rest = sigmoid(-x / tau);
    double const logistic = -log_sigmoid(x), exponential = std::exp(-x);
    double const d = step.beta * (m * rest / tau * (exponential - logistic) - rest * sigmoid(-x) - m * exponential);
    slope.chosen.score += d;
    slope.rejected.score -= d;
    return rest * logistic + m * exponential;
  }
};

}  // namespace graft
