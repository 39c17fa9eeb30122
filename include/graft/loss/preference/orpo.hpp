// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/chosen_nll.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace graft {

/// ORPO (Hong et al. 2024, eq. 6-7): no reference; the chosen answer's NLL and the log odds ratio of the answers. With
/// a± = log π(±)/T± and odds a - log(1 - e^a):
///   NLL(+) - β·log σ(odds(a+) - odds(a-))
/// NLL is the step's mean a token of the chosen answers; TRL's runs over their prompts too. β is the paper's λ.
struct Orpo {
  static constexpr bool uses_reference = false;
  friend bool operator==(Orpo const&, Orpo const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    Mean const chosen(pair.chosen), rejected(pair.rejected);
    double const x = chosen.odds - rejected.odds;
    double const d = -step.beta * sigmoid(-x);
    slope.chosen.logp += d * chosen.slope;
    slope.rejected.logp -= d * rejected.slope;
    return ChosenNll{}(step, pair, slope) - step.beta * log_sigmoid(x);
  }

 private:
  /// Log odds of a mean log-probability. A mean of 0 (every token certain) is held just below it.
  struct Mean {
    double odds = 0;
    double slope = 0;  // in logp
    explicit Mean(Answer const& answer) {
      double const tokens = std::max(answer.predictions, 1.0);
      double const a = std::min(answer.logp / tokens, -std::numeric_limits<double>::epsilon());
      odds = a - std::log(-std::expm1(a));
      slope = 1 / (-std::expm1(a) * tokens);  // d/da (a - log(1 - e^a)) = 1 / (1 - e^a)
    }
  };
};

}  // namespace graft
