// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/optim/basic_state.hpp>

namespace graft {

/// Lion: the sign of an interpolated momentum, with decoupled weight decay.
///   p ← p·(1 - lr·weight_decay)                     (parameters with `decay` only)
///   p ← p - lr·sign(β₁·m + (1-β₁)·g)                (sign 0 is 0)
///   m ← β₂·m + (1-β₂)·g
/// Source: Chen et al., "Symbolic discovery of optimization algorithms", 2023, algorithm 2. Its learning rate is 3 to 10
/// times smaller than AdamW's, its weight decay as much larger. State: exp_avg (m).
struct Lion {
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;

  friend bool operator==(Lion const&, Lion const&) = default;

  template <Scalar T, class B>
  class State;
};

template <Scalar T, class B>
class Lion::State : public BasicState<T, B> {
 public:
  State(Lion const& spec, Trainable<T, B> const& trainable) : BasicState<T, B>(trainable, {"exp_avg"}), spec_(spec) {
    detail::require_rate(spec.beta1, "lion", "beta1");
    detail::require_rate(spec.beta2, "lion", "beta2");
    detail::require_not_negative(spec.weight_decay, "lion", "weight_decay");
  }

  void step(double learning_rate) {
    this->begin_step(learning_rate);
    Update update{T{1},
                  static_cast<T>(learning_rate),
                  static_cast<T>(spec_.beta1),
                  static_cast<T>(1 - spec_.beta1),
                  static_cast<T>(spec_.beta2),
                  static_cast<T>(1 - spec_.beta2)};
    this->for_each_piece([&](auto const& param, auto const& state) {
      update.keep = static_cast<T>(param.decay ? 1 - learning_rate * spec_.weight_decay : 1.0);
      this->backend().map(param.count, update, param.value, param.grad, state(0));
    });
  }

 private:
  struct Update {
    T keep, rate, beta1, beta1_rest, beta2, beta2_rest;

    GRAFT_HOST_DEVICE void operator()(T& p, T const& g, T& m) const {
      T const direction = beta1 * m + beta1_rest * g;
      T const sign = static_cast<T>((direction > 0) - (direction < 0));
      p = keep * p - rate * sign;
      m = beta2 * m + beta2_rest * g;
    }
  };

  Lion spec_;
};

}  // namespace graft
