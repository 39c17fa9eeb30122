// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/concept.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

namespace graft {

/// What the objectives of this family see of one answer. Σ runs over the answer's predictions; with length
/// desensitisation those beyond the shorter answer of the pair count ld_alpha.
struct Answer {
  double logp = 0;            ///< Σ log π
  double reference_logp = 0;  ///< Σ log π_ref; 0 without a reference
  double score = 0;           ///< f'(π / π_ref) of the divergence: the log-ratio itself for reverse KL
  double plain_logp = 0;      ///< Σ log π, every prediction in full
  double predictions = 0;
  double tokens = 0;          ///< of the completion
  [[nodiscard]] double logratio() const { return logp - reference_logp; }
};

struct AnswerPair {
  Answer chosen, rejected;
  double weight = 1;  ///< factor of its loss, taken as given: no slope goes through it
};

/// Where an objective puts its slopes: d value / d (logp, score, plain_logp), starting from 0.
struct AnswerSlope {
  double logp = 0;
  double score = 0;
  double plain_logp = 0;
};

struct PairSlope {
  AnswerSlope chosen, rejected;

  /// += factor·other
  void add(double factor, PairSlope const& other) {
    auto const to = [factor](AnswerSlope& own, AnswerSlope const& more) {
      own.logp += factor * more.logp;
      own.score += factor * more.score;
      own.plain_logp += factor * more.plain_logp;
    };
    to(chosen, other.chosen);
    to(rejected, other.rejected);
  }
};

/// What is common to the pairs of a step.
struct PairStep {
  double beta = 0;           ///< β
  double pairs = 0;          ///< of the whole step: what the sum over pairs is divided by
  double chosen_tokens = 0;  ///< predictions in chosen answers of the whole step
};

/// An objective of single pairs: adds its slopes, returns its value.
template <class O>
concept PairObjective = requires(O const& objective, PairStep const& step, AnswerPair const& pair, PairSlope& slope) {
  { objective(step, pair, slope) } -> std::same_as<double>;
};
/// An objective that looks at all pairs of a micro-batch at once: returns the sum over pairs. One that heeds `AnswerPair::weight`
/// says so by a member function `weighs_pairs()`; others take pairs of weight 1 only.
template <class O>
concept BatchObjective = requires(O const& objective, PairStep const& step, std::span<AnswerPair const> pairs,
                                  std::span<PairSlope> slopes) {
  { objective(step, pairs, slopes) } -> std::same_as<double>;
};

/// What `Dpo` takes as objective: an aggregate of its own parameters. β is the step's. `check()`, if there is one, refuses
/// parameters; `uses_reference = false` says that it looks at the policy alone.
template <class O>
concept PreferenceObjective = std::is_aggregate_v<O> && (PairObjective<O> || BatchObjective<O>);

template <class O>
[[nodiscard]] constexpr bool uses_reference() {
  if constexpr (requires { O::uses_reference; })
    return O::uses_reference;
  else
    return true;
}

/// Whether an objective can give each pair a weight of its own.
template <class O>
[[nodiscard]] constexpr bool weighs_pairs([[maybe_unused]] O const& objective) {
  if constexpr (!BatchObjective<O>)
    return true;
  else if constexpr (requires { { objective.weighs_pairs() } -> std::same_as<bool>; })
    return objective.weighs_pairs();
  else
    return false;
}

/// The sum of an objective over the pairs of a micro-batch, each times its weight; adds its slopes.
template <PreferenceObjective O>
[[nodiscard]] double sum_over_pairs(O const& objective, PairStep const& step, std::span<AnswerPair const> pairs,
                                    std::span<PairSlope> slopes) {
  if constexpr (requires { objective.check(); }) objective.check();
  if constexpr (BatchObjective<O>) {
    return objective(step, pairs, slopes);
  } else {
    double sum = 0;
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      PairSlope slope;
      sum += pairs[p].weight * objective(step, pairs[p], slope);
      slopes[p].add(pairs[p].weight, slope);
    }
    return sum;
  }
}

}  // namespace graft
