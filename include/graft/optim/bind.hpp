// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/optim/concept.hpp>

#include <utility>

namespace graft {

/// An optimizer at work on the parameters of one model, with its state. The model must outlive it and stay where it is.
/// step(learning_rate) only reads gradients; zero_grad() clears them for `accumulate_grad` (`value_and_grad` does that itself).
template <class O, Scalar T, class B>
class Bound {
 public:
  using State = typename O::template State<T, B>;

  Bound(O spec, Trainable<T, B> trainable)
      : spec_(std::move(spec)), trainable_(std::move(trainable)), state_(spec_, trainable_) {}

  void step(double learning_rate) { state_.step(learning_rate); }
  void zero_grad() const { trainable_.zero_grad(); }

  [[nodiscard]] std::vector<StateTensor<T>> tensors() const { return state_.tensors(); }
  [[nodiscard]] Index steps() const { return state_.steps(); }
  void set_steps(Index steps) { state_.set_steps(steps); }

  [[nodiscard]] O const& spec() const { return spec_; }
  [[nodiscard]] Trainable<T, B> const& trainable() const { return trainable_; }
  [[nodiscard]] State& state() { return state_; }

 private:
  O spec_;
  Trainable<T, B> trainable_;
  State state_;
};

/// Binds an optimizer to the parameters of a model and allocates its state, zero:
///   auto optimizer = bind(AdamW{.weight_decay = 0.01}, model.trainable());
template <class O, Scalar T, class B>
[[nodiscard]] Bound<O, T, B> bind(O spec, Trainable<T, B> trainable) {
  static_assert(
      Optimizer<O, T, B>,
      "the first argument of bind must be an optimizer: an aggregate with a nested template <Scalar T, class B> "
      "class State that is constructible from (the aggregate, Trainable<T, B>) and has step(double), tensors(), "
      "steps() and set_steps(Index); derive State from graft::BasicState to get the last three; see docs/optim.md");
  return {std::move(spec), std::move(trainable)};
}

}  // namespace graft
