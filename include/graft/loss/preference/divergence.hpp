// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace graft {

/// The f-divergence that keeps the policy near its reference (Wang et al., "Beyond reverse KL", 2023). An answer's score is
/// f'(t) of its ratio t = π / π_ref; with r = log t:
///   reverse_kl  r           forward_kl  1 - e^-r
///   js          log 2 + log σ(r)
///   alpha       (e^((α-1)·r) - 1) / (α-1), whose exponent is held at 80; r where α is 1
struct Divergence {
  enum class Kind { reverse_kl, forward_kl, js, alpha };

  Kind kind = Kind::reverse_kl;
  double alpha = 0.5;  ///< of `alpha` alone

  friend bool operator==(Divergence const&, Divergence const&) = default;

  [[nodiscard]] double score(double logratio) const {
    if (kind == Kind::forward_kl) return 1 - std::exp(-logratio);
    if (kind == Kind::js) return std::numbers::ln2 + log_sigmoid(logratio);
    if (is_alpha()) return (std::exp(std::min((alpha - 1) * logratio, exponent_limit)) - 1) / (alpha - 1);
    return logratio;
  }
  /// d score / d logratio
  [[nodiscard]] double slope(double logratio) const {
    if (kind == Kind::forward_kl) return std::exp(-logratio);
    if (kind == Kind::js) return sigmoid(-logratio);
    if (is_alpha()) return (alpha - 1) * logratio <= exponent_limit ? std::exp((alpha - 1) * logratio) : 0;
    return 1;
  }

 private:
  static constexpr double exponent_limit = 80;
  [[nodiscard]] bool is_alpha() const { return kind == Kind::alpha && std::abs(alpha - 1) >= 1e-6; }
};

}  // namespace graft
