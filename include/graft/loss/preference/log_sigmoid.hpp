// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

namespace graft {

/// log σ(x), without overflow on either side.
[[nodiscard]] inline double log_sigmoid(double x) { return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))); }

/// σ(x) = 1 / (1 + e^-x); the slope of log σ(x) is σ(-x).
[[nodiscard]] inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

}  // namespace graft
