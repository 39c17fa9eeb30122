// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

#include <cmath>

namespace graft {

/// EXO on pairs (Ji et al. 2024, eq. 16): KL of [q, 1-q], q = σ(β(s+ - s-)), from the labels [1-ε, ε]:
///   q·(log q - log(1-ε)) + (1-q)·(log(1-q) - log ε)
/// Error: [exo_pair] ε outside (0, 0.5); 1e-3 is customary.
struct ExoPair {
  double label_smoothing = 1e-3;  ///< ε

  friend bool operator==(ExoPair const&, ExoPair const&) = default;

  void check() const {
    require(label_smoothing > 0 && label_smoothing < 0.5, "exo_pair", "label_smoothing must be in (0, 0.5): got ", label_smoothing);
  }
  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const x = step.beta * (pair.chosen.score - pair.rejected.score);
    double const q = sigmoid(x), rest = sigmoid(-x);
    double const gain = log_sigmoid(x) - std::log1p(-label_smoothing);
    double const loss = log_sigmoid(-x) - std::log(label_smoothing);
    double const d = step.beta * q * rest * (gain - loss);  // the slopes of q·log q and (1-q)·log(1-q) cancel
    slope.chosen.score += d;
    slope.rejected.score -= d;
    return q * gain + rest * loss;
  }
};

}  // namespace graft
