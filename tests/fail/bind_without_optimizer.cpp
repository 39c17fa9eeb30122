// SPDX-License-Identifier: Apache-2.0
// expect: the first argument of bind must be an optimizer: an aggregate with a nested template <Scalar T, class B> class State
// An optimizer whose state has no steps to resume from.
#include <graft/backend/reference.hpp>
#include <graft/optim/bind.hpp>

struct Momentum {
  double decay = 0.9;
  template <graft::Scalar T, class B>
  struct State {
    State(Momentum const&, graft::Trainable<T, B> const&) {}
    void step(double) {}
  };
};

void attempt(graft::Trainable<float, graft::Reference> const& trainable) { (void)graft::bind(Momentum{}, trainable); }
