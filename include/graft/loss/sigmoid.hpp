// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

namespace graft {

/// 1 / (1 + exp(-x)).
[[nodiscard]] inline double sigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  double const e = std::exp(x);
  return e / (1 + e);
}

/// log sigmoid(x) = -log(1 + exp(-x)), without overflow; its derivative is sigmoid(-x).
[[nodiscard]] inline double log_sigmoid(double x) {
  return x >= 0 ? -std::log1p(std::exp(-x)) : x - std::log1p(std::exp(x));
}

}  // namespace graft
