// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/optim/bind.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace graft {

/// A bound optimizer whose kind is chosen at run time: what a program with an `--optimizer` flag needs, so that its training
/// loop is compiled once and not once for each optimizer. One virtual call a step.
///   AnyOptimizer optimizer = name == "lion" ? AnyOptimizer(Lion{}, model.trainable()) : AnyOptimizer(AdamW{}, model.trainable());
template <Scalar T, class B>
class AnyOptimizer {
 public:
  /// Binds `spec`, as `bind` does.
  template <class O>
  AnyOptimizer(O spec, Trainable<T, B> trainable) : held_(std::make_unique<Held<O>>(std::move(spec), std::move(trainable))) {}

  void step(double learning_rate) { held_->step(learning_rate); }
  void zero_grad() const { held_->trainable().zero_grad(); }

  [[nodiscard]] std::vector<StateTensor<T>> tensors() const { return held_->tensors(); }
  [[nodiscard]] Index steps() const { return held_->steps(); }
  void set_steps(Index steps) { held_->set_steps(steps); }
  [[nodiscard]] Trainable<T, B> const& trainable() const { return held_->trainable(); }

 private:
  struct Any {
    virtual ~Any() = default;
    virtual void step(double learning_rate) = 0;
    virtual std::vector<StateTensor<T>> tensors() const = 0;
    virtual Index steps() const = 0;
    virtual void set_steps(Index steps) = 0;
    virtual Trainable<T, B> const& trainable() const = 0;
  };
  template <class O>
  struct Held final : Any {
    Held(O spec, Trainable<T, B> trainable) : bound(std::move(spec), std::move(trainable)) {}
    void step(double learning_rate) override { bound.step(learning_rate); }
    std::vector<StateTensor<T>> tensors() const override { return bound.tensors(); }
    Index steps() const override { return bound.steps(); }
    void set_steps(Index steps) override { bound.set_steps(steps); }
    Trainable<T, B> const& trainable() const override { return bound.trainable(); }
    Bound<O, T, B> bound;
  };

  std::unique_ptr<Any> held_;
};

}  // namespace graft
