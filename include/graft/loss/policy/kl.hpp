// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace graft {

/// How KL(π ‖ reference) is estimated from one token that π drew, with d = log π - log reference:
///   k1 = d,  k2 = d²/2,  k3 = e^(-d) - 1 + d.
/// k1 and k3 have the right mean; k2 and k3 are never negative and vary less; k2 has the right gradient in the mean.
/// Source: Schulman, "Approximating KL divergence", 2020.
enum class KlEstimator : std::uint8_t { k1, k2, k3 };

[[nodiscard]] inline double kl_estimate(KlEstimator estimator, double logprob, double reference) {
  double const d = logprob - reference;
  switch (estimator) {
    case KlEstimator::k1: return d;
    case KlEstimator::k2: return d * d / 2;
    case KlEstimator::k3: return std::expm1(-d) + d;
  }
  return d;
}

/// d estimate / d logprob.
[[nodiscard]] inline double kl_gradient(KlEstimator estimator, double logprob, double reference) {
  double const d = logprob - reference;
  switch (estimator) {
    case KlEstimator::k1: return 1;
    case KlEstimator::k2: return d;
    case KlEstimator::k3: return -std::expm1(-d);
  }
  return 1;
}

/// The factor of the KL penalty. With a target it follows the KL that is seen; `coefficient` is then its state, the one
/// number that a resumed run needs:
///   coefficient *= 1 + clip(kl / target - 1, -0.2, 0.2)·samples / horizon
/// Source: Ziegler et al., "Fine-tuning language models from human preferences", 2019, section 2.2 (there with a
/// horizon of 10 samples·steps); the names and defaults of target and horizon are TRL's.
struct KlCoefficient {
  double coefficient = 0.05;
  double target = 0;       ///< KL of a sequence, in nats, to hold; 0: the coefficient is fixed
  double horizon = 10000;  ///< samples until a KL that is 20 % off has moved the coefficient by 20 %

  friend bool operator==(KlCoefficient const&, KlCoefficient const&) = default;

  void validate() const {
    require(std::isfinite(coefficient) && coefficient >= 0, "kl", "the coefficient must be 0 or more: got ", coefficient);
    require(std::isfinite(target) && target >= 0, "kl", "the target must be 0 (fixed) or more: got ", target);
    require(horizon > 0, "kl", "the horizon must be positive: got ", horizon);
  }

  /// After `samples` sequences with a mean KL of `kl`.
  void update(double kl, Index samples) {
    if (target == 0) return;
    double const error = std::clamp(kl / target - 1, -0.2, 0.2);
    coefficient *= 1 + error * static_cast<double>(samples) / horizon;
  }
};

}  // namespace graft
