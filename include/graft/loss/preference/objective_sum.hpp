// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/aot.hpp>
#include <graft/loss/preference/apo.hpp>
#include <graft/loss/preference/bco_pair.hpp>
#include <graft/loss/preference/chosen_nll.hpp>
#include <graft/loss/preference/cpo.hpp>
#include <graft/loss/preference/discopop.hpp>
#include <graft/loss/preference/dpo_hinge.hpp>
#include <graft/loss/preference/dpo_sigmoid.hpp>
#include <graft/loss/preference/exo_pair.hpp>
#include <graft/loss/preference/ipo.hpp>
#include <graft/loss/preference/nca_pair.hpp>
#include <graft/loss/preference/orpo.hpp>
#include <graft/loss/preference/robust_dpo.hpp>
#include <graft/loss/preference/sigmoid_norm.hpp>
#include <graft/loss/preference/simpo.hpp>
#include <graft/loss/preference/sppo_hard.hpp>

#include <algorithm>
#include <span>
#include <variant>
#include <vector>

namespace graft {

/// Any objective of this library on pairs, chosen at run time.
using AnyObjective = std::variant<DpoSigmoid, DpoHinge, Ipo, ExoPair, NcaPair, RobustDpo, BcoPair, SppoHard, Aot, AotUnpaired,
                                  ApoZero, ApoDown, DiscoPop, ChosenNll, SigmoidNorm, Orpo, SimPo, Cpo>;

struct WeightedObjective {
  AnyObjective objective{};
  double weight = 1;
  friend bool operator==(WeightedObjective const&, WeightedObjective const&) = default;
};

/// Several objectives at once, each with a weight; MPO (Wang et al. 2024) is {DpoSigmoid, 0.8}, {BcoPair, 0.2}, {ChosenNll, 1},
/// and DPO with an SFT term {DpoSigmoid, 1}, {ChosenNll, α}. Error: [objectives] no parts.
struct ObjectiveSum {
  std::vector<WeightedObjective> parts{};

  friend bool operator==(ObjectiveSum const&, ObjectiveSum const&) = default;

  void check() const { require(!parts.empty(), "objectives", "must have at least one objective: got none"); }
  /// Whether any part looks at the reference.
  [[nodiscard]] bool needs_reference() const {
    return std::ranges::any_of(parts, [](auto const& part) {
      return std::visit([](auto const& objective) { return uses_reference<std::remove_cvref_t<decltype(objective)>>(); }, part.objective);
    });
  }
  /// Whether all parts can give each pair a weight.
  [[nodiscard]] bool weighs_pairs() const {
    return std::ranges::all_of(parts, [](auto const& part) {
      return std::visit([](auto const& objective) { return graft::weighs_pairs(objective); }, part.objective);
    });
  }
  double operator()(PairStep const& step, std::span<AnswerPair const> pairs, std::span<PairSlope> slopes) const {
    double sum = 0;
    std::vector<PairSlope> own(pairs.size());
    for (auto const& [objective, weight] : parts) {
      std::ranges::fill(own, PairSlope{});
      sum += weight * std::visit([&](auto const& o) { return sum_over_pairs(o, step, pairs, own); }, objective);
      for (std::size_t p = 0; p < pairs.size(); ++p) slopes[p].add(weight, own[p]);
    }
    return sum;
  }
};

}  // namespace graft
