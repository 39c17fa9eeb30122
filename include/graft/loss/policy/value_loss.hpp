// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/policy/policy_batch.hpp>
#include <graft/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace graft {

/// The critic's loss: with value V, the value V_old when the token was drawn, and return R,
///   value = coefficient·½·mean over tokens of max((V - R)², (clip(V, V_old - ε, V_old + ε) - R)²).
/// Source: Schulman et al., PPO's reference code (openai/baselines); coefficient and ε as TRL's vf_coef and cliprange_value.
struct ValueLoss {
  double coefficient = 0.1;
  double clip_range = 0.2;  ///< ε; infinity: no clip

  friend bool operator==(ValueLoss const&, ValueLoss const&) = default;

  struct Report {
    double value = 0;
    double tokens = 0;
    double clipped = 0;  ///< tokens whose clipped error is the larger one: val/clipfrac_avg
  };

  /// `values` (N), read; `gradient` (N), written whole: d value / d values. Divided by the step's tokens, as `PolicyLoss`.
  Report operator()(std::span<double const> values, PolicyBatch const& batch, std::span<double> gradient) const {
    require(coefficient >= 0 && clip_range >= 0, "value", "coefficient and clip_range must be 0 or more: got ", coefficient,
            " and ", clip_range);
    auto const count = values.size();
    require(static_cast<Index>(count) == batch.supervised() && gradient.size() == count && batch.old_values.size() == count &&
                batch.returns.size() == count,
            "value", "values, gradient, old_values and returns must be one for each of ", batch.supervised(), " tokens: got ",
            count, ", ", gradient.size(), ", ", batch.old_values.size(), " and ", batch.returns.size());
    double const tokens = std::max(1.0, batch.step_tokens > 0 ? batch.step_tokens : batch.total_weight());
    Report report;
    for (std::size_t t = 0; t < count; ++t) {
      double const w = batch.weights.empty() ? 1.0 : double{batch.weights[t]};
      double const old = batch.old_values[t];
      double const clipped = std::clamp(values[t], old - clip_range, old + clip_range);
      double const plain = values[t] - batch.returns[t], bounded = clipped - batch.returns[t];
      double const scale = w * coefficient / tokens;
      bool const takes_clipped = bounded * bounded > plain * plain;
      report.value += scale * std::max(plain * plain, bounded * bounded) / 2;
      report.tokens += w;
      report.clipped += takes_clipped ? w : 0;
      gradient[t] = takes_clipped ? (clipped == values[t] ? scale * bounded : 0) : scale * plain;
    }
    return report;
  }
};

}  // namespace graft
