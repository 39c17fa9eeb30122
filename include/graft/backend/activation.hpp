// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>

#include <cmath>

namespace graft::detail {

struct ActivationValue {
  double value;
  double slope;
};

/// An activation and its derivative at x, in double.
///   silu       x·σ(x);  σ(x)·(1 + x·(1 - σ(x)))
///   gelu_tanh  x·(1 + tanh u)/2 with u = √(2/π)·(x + 0.044715·x³)
[[nodiscard]] inline ActivationValue activate(Activation activation, double x) {
  if (activation == Activation::silu) {
    double const sigmoid = 1 / (1 + std::exp(-x));
    return {x * sigmoid, sigmoid * (1 + x * (1 - sigmoid))};
  }
  constexpr double k = 0.7978845608028654, cubic = 0.044715;  // k = sqrt(2/pi)
  double const t = std::tanh(k * (x + cubic * x * x * x));
  return {x * (1 + t) / 2, (1 + t) / 2 + x * (1 - t * t) * k * (1 + 3 * cubic * x * x) / 2};
}

}  // namespace graft::detail
