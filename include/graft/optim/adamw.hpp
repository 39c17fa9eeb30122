// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/optim/basic_state.hpp>

namespace graft {

/// Adam with decoupled weight decay, in the arithmetic of torch.optim.AdamW. For gradient g and step t = 1, 2, …:
///   p ← p·(1 - lr·weight_decay)                     (parameters with `decay` only)
///   m ← m + (1-β₁)·(g - m),   v ← β₂·v + (1-β₂)·g²
///   p ← p - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + eps)
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2; eps outside the
/// root as in Kingma and Ba, 2015. State: exp_avg (m) and exp_avg_sq (v). Defaults are torch's.
struct AdamW {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;

  friend bool operator==(AdamW const&, AdamW const&) = default;

  template <Scalar T, class B>
  class State;
};

template <Scalar T, class B>
class AdamW::State : public BasicState<T, B> {
 public:
  State(AdamW const& spec, Trainable<T, B> const& trainable)
      : BasicState<T, B>(trainable, {"exp_avg", "exp_avg_sq"}), spec_(spec) {
    detail::require_rate(spec.beta1, "adamw", "beta1");
    detail::require_rate(spec.beta2, "adamw", "beta2");
    detail::require_not_negative(spec.eps, "adamw", "eps");
    detail::require_not_negative(spec.weight_decay, "adamw", "weight_decay");
  }

  void step(double learning_rate) {
    auto const t = static_cast<double>(this->begin_step(learning_rate));
    Update update{.keep = T{1},
                  .beta1_rest = static_cast<T>(1 - spec_.beta1),
                  .beta2 = static_cast<T>(spec_.beta2),
                  .beta2_rest = static_cast<T>(1 - spec_.beta2),
                  .step_size = static_cast<T>(learning_rate / (1 - std::pow(spec_.beta1, t))),
                  .root_correction = static_cast<T>(std::sqrt(1 - std::pow(spec_.beta2, t))),
                  .eps = static_cast<T>(spec_.eps)};
    this->for_each_piece([&](auto const& param, auto const& state) {
      update.keep = static_cast<T>(param.decay ? 1 - learning_rate * spec_.weight_decay : 1.0);
      this->backend().map(param.count, update, param.value, param.grad, state(0), state(1));
    });
  }

 private:
  struct Update {
    T keep, beta1_rest, beta2, beta2_rest, step_size, root_correction, eps;

    GRAFT_HOST_DEVICE void operator()(T& p, T const& g, T& m, T& v) const {
      using std::sqrt;
      m += beta1_rest * (g - m);
      v = beta2 * v + beta2_rest * g * g;
      p = keep * p - step_size * (m / (sqrt(v) / root_correction + eps));
    }
  };

  AdamW spec_;
};

}  // namespace graft
