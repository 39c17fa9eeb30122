// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>

#include <cmath>
#include <cstddef>
#include <span>

namespace graft {

/// Mean and variance (with Bessel's correction) of the values whose weight is not 0.
struct MaskedMoments {
  double mean = 0;
  double variance = 0;
  double count = 0;
};

/// `mask` (N) holds 0 or 1, or is empty: then every value counts. Fewer than two values have the variance 0.
[[nodiscard]] inline MaskedMoments masked_moments(std::span<double const> values, std::span<float const> mask = {}) {
  require(mask.empty() || mask.size() == values.size(), "whiten", "the mask must be empty or have one entry for each of ",
          values.size(), " values: got ", mask.size());
  auto const weight = [&](std::size_t i) { return mask.empty() ? 1.0 : double{mask[i]}; };
  MaskedMoments moments;
  for (std::size_t i = 0; i < values.size(); ++i) {
    moments.count += weight(i);
    moments.mean += weight(i) * values[i];
  }
  if (moments.count == 0) return moments;
  moments.mean /= moments.count;
  if (moments.count < 2) return moments;
  for (std::size_t i = 0; i < values.size(); ++i)
    moments.variance += weight(i) * (values[i] - moments.mean) * (values[i] - moments.mean);
  moments.variance /= moments.count - 1;
  return moments;
}

/// Makes the values (N) under the mask of mean 0 and variance 1: v = (v - mean) / √(variance + 1e-8). Without
/// `shift_mean` the mean is added back, which is how rewards are whitened: their sign stays. What the mask hides becomes 0.
/// Source: TRL, `masked_whiten`.
inline void whiten(std::span<double> values, std::span<float const> mask = {}, bool shift_mean = true) {
  auto const moments = masked_moments(values, mask);
  double const factor = 1 / std::sqrt(moments.variance + 1e-8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    double const whitened = (values[i] - moments.mean) * factor + (shift_mean ? 0 : moments.mean);
    values[i] = mask.empty() || mask[i] != 0 ? whitened : 0;
  }
}

}  // namespace graft
