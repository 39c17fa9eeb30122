// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/trainable.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace graft {

/// A tensor of an optimizer's state as checkpoints see it; contiguous, in backend memory. Writing to it restores it. Its numbers
/// are `value` or, of optimizers that keep their state in 8 bits, `codes` in host memory.
template <Scalar T>
struct StateTensor {
  std::string name;          ///< parameter name, a dot, state name: for example layers.0.up_proj.lora_A.weight.exp_avg
  std::vector<Index> shape;  ///< as the parameter's
  Out<T> value;
  std::span<std::byte> codes = {};
  bool paged = false;  ///< in a mapped file: whoever went through it may `drop_pages`
};

/// What `O::State<T, B>` offers: an optimizer bound to the parameters of one model.
///   step(learning_rate)  one update of every parameter from its gradient; gradients are only read
///   tensors()            its state, in a fixed order; a set_steps() and a copy into them resume a run to the bit
///   steps()              updates done so far
template <class S, class T>
concept OptimizerState = Scalar<T> && requires(S& state, S const& read_only, double learning_rate, Index steps) {
  { state.step(learning_rate) } -> std::same_as<void>;
  { read_only.tensors() } -> std::same_as<std::vector<StateTensor<T>>>;
  { read_only.steps() } -> std::same_as<Index>;
  { state.set_steps(steps) } -> std::same_as<void>;
};

/// An optimizer is a plain aggregate of hyper-parameters, without the learning rate, with a nested
///   template <Scalar T, class B> class State;
/// that is constructed from (the aggregate, the Trainable) and models `OptimizerState`. It allocates there and nowhere else.
/// `BasicState` (optim/basic_state.hpp) carries what every such class needs; using it is not required.
template <class O, class T, class B>
concept Optimizer = std::is_aggregate_v<O> && Scalar<T> && requires {
  typename O::template State<T, B>;
} && std::constructible_from<typename O::template State<T, B>, O const&, Trainable<T, B> const&>&&
    OptimizerState<typename O::template State<T, B>, T>;

}  // namespace graft
