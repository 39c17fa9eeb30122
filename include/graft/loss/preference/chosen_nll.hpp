// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/pair.hpp>

namespace graft {

/// Supervised fine-tuning on the chosen answers, TRL's `sft`: their mean negative log-likelihood a token over the whole step.
/// As a part of a combination it keeps the chosen answers likely (RPO, Pang et al. 2024; MPO, Wang et al. 2024).
struct ChosenNll {
  static constexpr bool uses_reference = false;
  friend bool operator==(ChosenNll const&, ChosenNll const&) = default;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const scale = step.pairs / step.chosen_tokens;  // the sum over pairs is divided by step.pairs
    slope.chosen.plain_logp -= scale;
    return -scale * pair.chosen.plain_logp;
  }
};

}  // namespace graft
