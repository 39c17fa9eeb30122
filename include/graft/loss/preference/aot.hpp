// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace graft {

namespace detail {

/// The order that sorts value(p) of all pairs, ties by their place.
template <class Value>
[[nodiscard]] std::vector<std::size_t> sorted_pairs(std::span<AnswerPair const> pairs, Value&& value) {
  std::vector<std::size_t> order(pairs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t p) { return value(pairs[p]); });
  return order;
}

/// -(1-ε)·log σ(βx) - ε·log σ(-βx), and its slope in x.
struct SmoothedSigmoid {
  double value, slope;
  SmoothedSigmoid(double beta, double epsilon, double x)
      : value(-(1 - epsilon) * log_sigmoid(beta * x) - epsilon * log_sigmoid(-beta * x)),
        slope(beta * (epsilon * sigmoid(beta * x) - (1 - epsilon) * sigmoid(-beta * x))) {}
};

inline void check_aot(double label_smoothing) {
  require(label_smoothing >= 0 && label_smoothing < 0.5, "aot", "label_smoothing must be in [0, 0.5): got ", label_smoothing);
}

}  // namespace detail

/// Alignment via optimal transport (Melnyk et al. 2024): the i-th smallest policy gap log π(+) - log π(-) against the i-th
/// smallest reference gap, through DPO's loss. The sorting runs over a micro-batch, so how a step is split matters.
/// Error: [aot] ε outside [0, 0.5).
struct Aot {
  double label_smoothing = 0;  ///< ε

  friend bool operator==(Aot const&, Aot const&) = default;

  void check() const { detail::check_aot(label_smoothing); }
  double operator()(PairStep const& step, std::span<AnswerPair const> pairs, std::span<PairSlope> slopes) const {
    auto const policy_gap = [](AnswerPair const& pair) { return pair.chosen.logp - pair.rejected.logp; };
    auto const reference_gap = [](AnswerPair const& pair) { return pair.chosen.reference_logp - pair.rejected.reference_logp; };
    auto const policy = detail::sorted_pairs(pairs, policy_gap), reference = detail::sorted_pairs(pairs, reference_gap);
    double sum = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      detail::SmoothedSigmoid const term(step.beta, label_smoothing, policy_gap(pairs[policy[i]]) - reference_gap(pairs[reference[i]]));
      slopes[policy[i]].chosen.logp += term.slope;
      slopes[policy[i]].rejected.logp -= term.slope;
      sum += term.value;
    }
    return sum;
  }
};

/// The same for answers whose pairing does not count: sorted log-ratios of the chosen against sorted ones of the rejected.
struct AotUnpaired {
  double label_smoothing = 0;  ///< ε

  friend bool operator==(AotUnpaired const&, AotUnpaired const&) = default;

  void check() const { detail::check_aot(label_smoothing); }
  double operator()(PairStep const& step, std::span<AnswerPair const> pairs, std::span<PairSlope> slopes) const {
    auto const chosen = detail::sorted_pairs(pairs, [](AnswerPair const& pair) { return pair.chosen.logratio(); });
    auto const rejected = detail::sorted_pairs(pairs, [](AnswerPair const& pair) { return pair.rejected.logratio(); });
    double sum = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      detail::SmoothedSigmoid const term(step.beta, label_smoothing,
                                         pairs[chosen[i]].chosen.logratio() - pairs[rejected[i]].rejected.logratio());
      slopes[chosen[i]].chosen.logp += term.slope;
      slopes[rejected[i]].rejected.logp -= term.slope;
      sum += term.value;
    }
    return sum;
  }
};

}  // namespace graft
