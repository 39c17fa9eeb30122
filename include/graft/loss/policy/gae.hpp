// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace graft {

/// Generalised advantage estimation over packed completions. Completion s has the tokens offsets[s] … offsets[s+1]-1;
/// with δ_t = r_t + γ·V_{t+1} - V_t and V = 0 behind its last token:
///   A_t = δ_t + γ·λ·A_{t+1},  return_t = A_t + V_t.
/// λ = 1 and V = 0 make A_t the discounted reward to come.
/// Source: Schulman et al., "High-dimensional continuous control using generalized advantage estimation", 2016, eq. 16.
struct Gae {
  double gamma = 1;
  double lambda = 0.95;

  friend bool operator==(Gae const&, Gae const&) = default;

  /// All of N tokens; `offsets` (S + 1) rises from 0 to N. `values` may be empty: 0 everywhere.
  void operator()(std::span<double const> rewards, std::span<double const> values, std::span<std::int32_t const> offsets,
                  std::span<double> advantages, std::span<double> returns) const {
    require(gamma >= 0 && gamma <= 1 && lambda >= 0 && lambda <= 1, "gae", "gamma and lambda must be in [0, 1]: got ",
            gamma, " and ", lambda);
    require(!offsets.empty() && offsets.front() == 0 && static_cast<std::size_t>(offsets.back()) == rewards.size() &&
                (values.empty() || values.size() == rewards.size()) && advantages.size() == rewards.size() &&
                returns.size() == rewards.size(),
            "gae", "rewards, values, advantages, returns and offsets must be of the same tokens: got ", rewards.size(), ", ",
            values.size(), ", ", advantages.size(), ", ", returns.size(), " and ", offsets.empty() ? 0 : offsets.back());
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
      double advantage = 0, next = 0;
      for (auto t = static_cast<std::size_t>(offsets[s + 1]); t-- > static_cast<std::size_t>(offsets[s]);) {
        double const value = values.empty() ? 0 : values[t];
        advantage = rewards[t] + gamma * next - value + gamma * lambda * advantage;
        advantages[t] = advantage;
        returns[t] = advantage + value;
        next = value;
      }
    }
  }
};

}  // namespace graft
