// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/rope_frequencies.hpp>

#include <graft/config.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace graft {

GRAFT_INLINE RopeFrequencies rope_frequencies(Index head_dim, double base, RopeScaling const& scaling, double stretch) {
  RopeFrequencies result;
  auto const dimensions = static_cast<double>(head_dim);
  if (scaling.kind == RopeScaling::Kind::dynamic)
    base *= std::pow(scaling.factor * stretch - (scaling.factor - 1), dimensions / (dimensions - 2));
  for (Index i = 0; i < head_dim / 2; ++i)
    result.inverse.push_back(std::pow(base, -2.0 * static_cast<double>(i) / dimensions));
  auto const original = static_cast<double>(scaling.original_max_position_embeddings);
  switch (scaling.kind) {
    case RopeScaling::Kind::none:
    case RopeScaling::Kind::dynamic:
      break;
    case RopeScaling::Kind::linear:
      for (double& theta : result.inverse) theta /= scaling.factor;
      break;
    case RopeScaling::Kind::llama3:
      for (double& theta : result.inverse) {
        double const wavelength = 2 * std::numbers::pi / theta;
        double const smooth = std::clamp(
            (original / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor),
            0.0, 1.0);
        theta = (1 - smooth) * theta / scaling.factor + smooth * theta;
      }
      break;
    case RopeScaling::Kind::yarn: {
      // The dimension that turns `rotations` times in the original context.
      auto const dimension = [&](double rotations) {
        return dimensions * std::log(original / (rotations * 2 * std::numbers::pi)) / (2 * std::log(base));
      };
      double const low = std::max(std::floor(dimension(scaling.beta_fast)), 0.0);
      double high = std::min(std::ceil(dimension(scaling.beta_slow)), dimensions - 1);
      if (low == high) high += 0.001;
      for (std::size_t i = 0; i < result.inverse.size(); ++i) {
        double const ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
        result.inverse[i] = result.inverse[i] / scaling.factor * ramp + result.inverse[i] * (1 - ramp);
      }
      result.factor = scaling.attention_factor != 0 ? scaling.attention_factor
                      : scaling.factor <= 1         ? 1.0
                                                    : 0.1 * std::log(scaling.factor) + 1;
      break;
    }
  }
  return result;
}

}  // namespace graft
