// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/optim/blockwise_state.hpp>

namespace graft {

/// AdamW with its state in 8 bits, 2.03 bytes a parameter instead of 8, in the arithmetic of bitsandbytes' AdamW8bit. The state is
/// decoded block by block, updated in float, used, and encoded again:
///   m ← β₁·m + (1-β₁)·g,   v ← β₂·v + (1-β₂)·g²
///   p ← p·(1 - lr·weight_decay) - lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + eps)      (decay: parameters with `decay` only)
/// Source: Dettmers et al., "8-bit optimizers via block-wise quantization", ICLR 2022. State: exp_avg (signed dynamic map) and
/// exp_avg_sq (unsigned). Defaults are those of `AdamW`; bitsandbytes' weight_decay is 0.01 too.
struct AdamW8bit {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  Index min_8bit_size = 4096;  ///< parameters of fewer elements keep their state in floats

  friend bool operator==(AdamW8bit const&, AdamW8bit const&) = default;

  template <Scalar T, class B>
  class State;
};

template <Scalar T, class B>
class AdamW8bit::State : public BlockwiseState<T, B> {
 public:
  State(AdamW8bit const& spec, Trainable<T, B> const& trainable)
      : BlockwiseState<T, B>(trainable, {{"exp_avg", true}, {"exp_avg_sq", false}}, spec.min_8bit_size), spec_(spec) {
    detail::require_rate(spec.beta1, "adamw8bit", "beta1");
    detail::require_rate(spec.beta2, "adamw8bit", "beta2");
    detail::require_not_negative(spec.eps, "adamw8bit", "eps");
    detail::require_not_negative(spec.weight_decay, "adamw8bit", "weight_decay");
  }

  void step(double learning_rate) {
    auto const t = static_cast<double>(this->begin_step(learning_rate));
    auto const keep_m = static_cast<float>(spec_.beta1), rest_m = static_cast<float>(1 - spec_.beta1);
    auto const keep_v = static_cast<float>(spec_.beta2), rest_v = static_cast<float>(1 - spec_.beta2);
    auto const step_size = static_cast<T>(learning_rate / (1 - std::pow(spec_.beta1, t)));
    auto const root_correction = static_cast<T>(std::sqrt(1 - std::pow(spec_.beta2, t)));
    auto const least = static_cast<T>(spec_.eps), decayed = static_cast<T>(1 - learning_rate * spec_.weight_decay);
    this->template for_each_block<2>([&](auto& state, T* p, T const* grad, Index count, bool decay) {
      using std::sqrt;
      for (Index i = 0; i < count; ++i) {
        float &m = state[0][i], &v = state[1][i];
        auto const g = static_cast<float>(grad[i]);
        m = m * keep_m + rest_m * g;
        v = v * keep_v + rest_v * g * g;
        T const kept = decay ? p[i] * decayed : p[i];
        p[i] = kept - step_size * (static_cast<T>(m) / (sqrt(static_cast<T>(v)) / root_correction + least));
      }
    });
  }

 private:
  AdamW8bit spec_;
};

}  // namespace graft
