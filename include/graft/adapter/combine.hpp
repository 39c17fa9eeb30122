// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/low_rank_svd.hpp>
#include <graft/core/error.hpp>
#include <graft/core/rng.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace graft {

/// How several LoRA adapters become one, with PEFT's names (`add_weighted_adapter`). wᵢ is an adapter's weight, sᵢ its scaling.
///   cat              Δ = Σ wᵢ·sᵢ·Bᵢ·Aᵢ exactly; the rank is the sum of the ranks. With all wᵢ = 1: all adapters active at once.
///   svd              the best approximation of that Δ of a chosen rank
///   linear           A = Σ ±√|wᵢsᵢ|·Aᵢ, B = Σ √|wᵢsᵢ|·Bᵢ: the factors are added, not the products
///   ties             as linear, with each factor's entries below its own top `density` dropped, and then only the entries whose
///                    sign is that of the majority averaged. Source: Yadav et al., "TIES-merging", 2023
///   dare_linear, dare_ties   the same with entries dropped at random and the others divided by `density`. Source: Yu et al.,
///                    "Language models are super Mario", 2024
///   magnitude_prune  linear after the entries below the top `density` are dropped
enum class Combination : std::uint8_t { linear, cat, svd, ties, dare_linear, dare_ties, magnitude_prune };

inline constexpr std::array<std::string_view, 7> combination_names{"linear", "cat", "svd", "ties", "dare_linear", "dare_ties",
                                                                   "magnitude_prune"};

/// Error: [combine] a name that is none of these.
[[nodiscard]] inline Combination combination_named(std::string_view name) {
  auto const found = std::ranges::find(combination_names, name);
  require(found != combination_names.end(), "combine", "the combination must be linear, cat, svd, ties, dare_linear, dare_ties or ",
          "magnitude_prune: got '", name, "'");
  return static_cast<Combination>(found - combination_names.begin());
}

struct CombineOptions {
  Combination combination = Combination::linear;
  Index svd_rank = 0;          ///< 0: the largest of the adapters' ranks
  double density = 1;          ///< share of the entries that ties, dare and magnitude_prune keep, in (0, 1]
  bool sign_by_count = false;  ///< the majority of ties is one of entries (PEFT's "frequency"), not of their sum ("total")
  std::uint64_t seed = 42;     ///< of dare's draws
};

namespace detail {

/// Keeps the int(density·n) entries of largest magnitude, of equal ones the first.
inline void prune_by_magnitude(std::vector<double>& values, double density) {
  if (density >= 1) return;
  auto const keep = static_cast<std::ptrdiff_t>(density * static_cast<double>(values.size()));
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto x, auto y) { return std::abs(values[x]) > std::abs(values[y]); });
  std::for_each(order.begin() + keep, order.end(), [&](auto i) { values[i] = 0; });
}

/// Keeps each entry with probability `density`, divided by it.
inline void prune_at_random(std::vector<double>& values, double density, Rng& rng) {
  if (density >= 1) return;
  for (double& value : values) value = rng.uniform(0, 1) < density ? value / density : 0;
}

/// Σ weight·values entry by entry; with `elect`, the mean over those adapters whose sign is the majority's.
[[nodiscard]] inline std::vector<double> sum_of(std::vector<std::vector<double>> const& values, std::span<double const> weights, bool elect,
                                                bool by_count) {
  std::vector<double> sum(values.front().size());
  auto const sign = [](double x) { return static_cast<double>((x > 0) - (x < 0)); };
  for (std::size_t k = 0; k < sum.size(); ++k) {
    double votes = 0, members = 0;
    for (auto const& one : values) votes += by_count ? sign(one[k]) : one[k];
    double const majority = votes >= 0 ? 1 : -1;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (elect && sign(values[i][k]) != majority) continue;
      sum[k] += weights[i] * values[i][k];
      members += 1;
    }
    if (elect) sum[k] /= std::max(members, 1.0);
  }
  return sum;
}

}  // namespace detail

/// What one module's factors become; `factors` are those of the adapters that have the module, scaled by nothing yet, and
/// `weights` their wᵢ·sᵢ. `stream` tells modules apart in dare's draws. Error: linear and its kin need factors of one rank.
[[nodiscard]] inline LowRank combine(std::vector<LowRank> const& factors, std::span<double const> weights, CombineOptions const& options,
                                     std::uint64_t stream = 0) {
  using enum Combination;
  require(!factors.empty() && factors.size() == weights.size(), "combine", "each adapter needs one weight: got ", factors.size(),
          " adapters and ", weights.size(), " weights");
  require(options.density > 0 && options.density <= 1, "combine", "density must be in (0, 1]: got ", options.density);
  Index const in = factors.front().in, out = factors.front().out;
  Index total = 0, largest = 0;
  for (auto const& one : factors) {
    require(one.in == in && one.out == out, "combine", "the adapters must be of one model: a module is (", out, ", ", in, ") in one and (",
            one.out, ", ", one.in, ") in another");
    total += one.rank;
    largest = std::max(largest, one.rank);
  }
  auto const kind = options.combination;
  if (kind == cat || kind == svd) {
    LowRank all = LowRank::zeros(total, in, out);
    Index first = 0;
    for (std::size_t i = 0; i < factors.size(); ++i) {
      auto const& one = factors[i];
      for (Index r = 0; r < one.rank; ++r) {
        for (Index c = 0; c < in; ++c) all.a_at(first + r, c) = weights[i] * one.a_at(r, c);
        for (Index o = 0; o < out; ++o) all.b_at(o, first + r) = one.b_at(o, r);
      }
      first += one.rank;
    }
    return kind == cat ? all : truncated_svd(all, options.svd_rank > 0 ? options.svd_rank : largest);
  }
  require(total == largest * static_cast<Index>(factors.size()), "combine", combination_names[static_cast<std::size_t>(kind)],
          " needs adapters of one rank; use cat or svd");
  std::vector<std::vector<double>> a, b;
  std::vector<double> a_weights, b_weights;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    a.push_back(factors[i].a);
    b.push_back(factors[i].b);
    double const root = std::sqrt(std::abs(weights[i]));
    a_weights.push_back(weights[i] >= 0 ? root : -root);
    b_weights.push_back(root);
    Rng rng(options.seed, stream << 8 | i);
    for (auto* values : {&a.back(), &b.back()}) {
      if (kind == ties || kind == magnitude_prune) detail::prune_by_magnitude(*values, options.density);
      if (kind == dare_linear || kind == dare_ties) detail::prune_at_random(*values, options.density, rng);
    }
  }
  bool const elect = kind == ties || kind == dare_ties;
  return {largest, in, out, detail::sum_of(a, a_weights, elect, options.sign_by_count),
          detail::sum_of(b, b_weights, elect, options.sign_by_count)};
}

}  // namespace graft
