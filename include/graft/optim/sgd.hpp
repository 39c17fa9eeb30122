// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/optim/basic_state.hpp>

namespace graft {

/// Stochastic gradient descent as torch.optim.SGD: coupled weight decay, momentum µ with dampening τ, Nesterov.
///   g ← g + weight_decay·p                          (parameters with `decay` only)
///   b ← g at the first step, then b ← µ·b + (1-τ)·g (with momentum)
///   g ← g + µ·b (Nesterov) or g ← b
///   p ← p - lr·g
/// Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum", ICML 2013, in torch's
/// form (the rate stands outside the buffer). State: momentum_buffer, none without momentum.
struct Sgd {
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;

  friend bool operator==(Sgd const&, Sgd const&) = default;

  template <Scalar T, class B>
  class State;
};

template <Scalar T, class B>
class Sgd::State : public BasicState<T, B> {
 public:
  State(Sgd const& spec, Trainable<T, B> const& trainable) : BasicState<T, B>(trainable, slots(spec)), spec_(spec) {
    detail::require_rate(spec.momentum, "sgd", "momentum");
    require(spec.dampening >= 0 && spec.dampening <= 1, "sgd", "dampening must be in [0, 1]: got ", spec.dampening);
    detail::require_not_negative(spec.weight_decay, "sgd", "weight_decay");
    require(!spec.nesterov || (spec.momentum > 0 && spec.dampening == 0), "sgd",
            "nesterov needs momentum above 0 and no dampening: got momentum=", spec.momentum,
            " dampening=", spec.dampening);
  }

  void step(double learning_rate) {
    bool const first = this->begin_step(learning_rate) == 1;
    auto const rate = static_cast<T>(learning_rate);
    auto const keep = static_cast<T>(spec_.momentum);
    auto const fresh = static_cast<T>(first ? 1.0 : 1 - spec_.dampening);
    this->for_each_piece([&](auto const& param, auto const& state) {
      auto const decay = static_cast<T>(param.decay ? spec_.weight_decay : 0.0);
      if (spec_.momentum == 0)
        this->backend().map(param.count, Plain{rate, decay}, param.value, param.grad);
      else  // the buffer is zero before the first step, so that b = g comes of the same formula
        this->backend().map(param.count, Momentum{rate, decay, keep, fresh, spec_.nesterov}, param.value, param.grad,
                            state(0));
    });
  }

 private:
  [[nodiscard]] static std::vector<std::string> slots(Sgd const& spec) {
    return spec.momentum == 0 ? std::vector<std::string>{} : std::vector<std::string>{"momentum_buffer"};
  }

  struct Plain {
    T rate, decay;
    GRAFT_HOST_DEVICE void operator()(T& p, T const& g) const { p -= rate * (g + decay * p); }
  };
  struct Momentum {
    T rate, decay, keep, fresh;
    bool ahead;  // Nesterov
    GRAFT_HOST_DEVICE void operator()(T& p, T const& grad, T& buffer) const {
      T const g = grad + decay * p;
      buffer = keep * buffer + fresh * g;
      p -= rate * (ahead ? g + keep * buffer : buffer);
    }
  };

  Sgd spec_;
};

}  // namespace graft
