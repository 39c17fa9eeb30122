// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/optim/blockwise_state.hpp>

namespace graft {

/// Lion with its momentum in 8 bits, about one byte a parameter, in the arithmetic of bitsandbytes' Lion8bit:
///   p ← p·(1 - lr·weight_decay) - lr·sign(β₁·m + (1-β₁)·g)      (decay: parameters with `decay` only)
///   m ← β₂·m + (1-β₂)·g
/// Sources: as `Lion`; Dettmers et al., "8-bit optimizers via block-wise quantization", ICLR 2022. State: exp_avg.
struct Lion8bit {
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;
  Index min_8bit_size = 4096;  ///< parameters of fewer elements keep their state in floats

  friend bool operator==(Lion8bit const&, Lion8bit const&) = default;

  template <Scalar T, class B>
  class State;
};

template <Scalar T, class B>
class Lion8bit::State : public BlockwiseState<T, B> {
 public:
  State(Lion8bit const& spec, Trainable<T, B> const& trainable)
      : BlockwiseState<T, B>(trainable, {{"exp_avg", true}}, spec.min_8bit_size), spec_(spec) {
    detail::require_rate(spec.beta1, "lion8bit", "beta1");
    detail::require_rate(spec.beta2, "lion8bit", "beta2");
    detail::require_not_negative(spec.weight_decay, "lion8bit", "weight_decay");
  }

  void step(double learning_rate) {
    this->begin_step(learning_rate);
    auto const vote_m = static_cast<float>(spec_.beta1), vote_g = static_cast<float>(1 - spec_.beta1);
    auto const keep_m = static_cast<float>(spec_.beta2), rest_m = static_cast<float>(1 - spec_.beta2);
    auto const rate = static_cast<T>(learning_rate), decayed = static_cast<T>(1 - learning_rate * spec_.weight_decay);
    this->template for_each_block<1>([&](auto& state, T* p, T const* grad, Index count, bool decay) {
      for (Index i = 0; i < count; ++i) {
        float& m = state[0][i];
        auto const g = static_cast<float>(grad[i]);
        float const direction = m * vote_m + vote_g * g;
        T const kept = decay ? p[i] * decayed : p[i];
        p[i] = kept - rate * static_cast<T>((direction > 0) - (direction < 0));
        m = m * keep_m + rest_m * g;
      }
    });
  }

 private:
  Lion8bit spec_;
};

}  // namespace graft
