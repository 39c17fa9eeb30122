// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/paged_buffer.hpp>
#include <graft/core/error.hpp>
#include <graft/optim/concept.hpp>
#include <graft/optim/state_pieces.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// What optimizers have in common: the parameters, the step count, and for every parameter one tensor per named slot
/// (say exp_avg), all in a single allocation that starts as zeros. Derive an optimizer's `State` from it and write step().
template <Scalar T, class B>
class BasicState {
 public:
  static constexpr bool pages_state = true;  ///< `Paged` may take it

  /// Errors: [optim] when there is nothing to train, or a parameter's value and gradient do not match.
  BasicState(Trainable<T, B> trainable, std::vector<std::string> slots)
      : trainable_(std::move(trainable)), slots_(std::move(slots)) {
    require(trainable_.backend != nullptr && !trainable_.params.empty(), "optim",
            "a model must have parameters to train: got none (is every module frozen?)");
    for (auto const& param : trainable_.params) {
      require(param.value.contiguous() && param.grad.contiguous() && param.value.rows == param.grad.rows &&
                  param.value.cols == param.grad.cols,
              "optim", "a parameter and its gradient must be contiguous and of one shape: got (", param.value.rows,
              ", ", param.value.cols, ") and (", param.grad.rows, ", ", param.grad.cols, ") for ", param.name);
      offsets_.push_back(padded_);
      padded_ += (param.value.size() + line - 1) / line * line;
    }
    memory_ =
        PagedBuffer<T, B>(*trainable_.backend, padded_ * static_cast<Index>(slots_.size()), trainable_.page_directory);
    pieces_ = detail::state_pieces(trainable_);
  }

  [[nodiscard]] std::vector<StateTensor<T>> tensors() const {
    std::vector<StateTensor<T>> list;
    for (std::size_t i = 0; i < trainable_.params.size(); ++i) {
      auto const& param = trainable_.params[i];
      for (std::size_t k = 0; k < slots_.size(); ++k)
        list.push_back({.name = param.name + "." + slots_[k],
                        .shape = param.shape,
                        .value = {slot(k, i), param.value.rows, param.value.cols},
                        .paged = memory_.paged()});
    }
    return list;
  }

  [[nodiscard]] Index steps() const { return steps_; }
  void set_steps(Index steps) {
    require(steps >= 0, "optim", "the number of steps must be 0 or more: got ", steps);
    steps_ = steps;
  }

  [[nodiscard]] Trainable<T, B> const& trainable() const { return trainable_; }
  /// Memory of the state tensors.
  [[nodiscard]] std::size_t bytes() const { return memory_.bytes(); }

 protected:
  ~BasicState() = default;

  /// Some elements of a parameter, one after the other.
  struct Elements {
    Index count;
    T* value;
    T const* grad;
    bool decay;
  };

  /// Counts a step and returns its number, from 1. Errors: [optim] for a learning rate that is negative or not finite.
  Index begin_step(double learning_rate) {
    require(std::isfinite(learning_rate) && learning_rate >= 0, "optim",
            "the learning rate must be finite and 0 or more: got ", learning_rate, " at step ", steps_);
    return ++steps_;
  }

  /// Calls f(param, i) for every parameter.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < trainable_.params.size(); ++i) f(trainable_.params[i], i);
  }

  /// The same for updates that are element by element: f(param, state) gets a parameter, flat, or a piece of one where the state is
  /// paged, and state(k) is where the state tensor k of these elements begins.
  template <class F>
  void for_each_piece(F&& f) const {
    auto const each_part = [&](detail::StatePiece const& piece, auto const& f_of_bytes) {
      for (std::size_t k = 0; k < slots_.size(); ++k)
        f_of_bytes(std::as_bytes(
            std::span(slot(k, piece.param) + piece.begin, static_cast<std::size_t>(piece.end - piece.begin))));
    };
    detail::update_pieces(pieces_, memory_.paged(), each_part, [&](detail::StatePiece const& piece) {
      auto const& param = trainable_.params[piece.param];
      Index const count = piece.end - piece.begin;
      f(Elements{count, param.value.data + piece.begin, param.grad.data + piece.begin, param.decay},
        [&](std::size_t k) { return slot(k, piece.param) + piece.begin; });
    });
  }

  /// State tensor k of parameter i.
  [[nodiscard]] T* slot(std::size_t k, std::size_t i) const {
    return memory_.data() + static_cast<Index>(k) * padded_ + offsets_[i];
  }
  [[nodiscard]] B& backend() const { return *trainable_.backend; }

 private:
  static constexpr Index line = 64 / static_cast<Index>(sizeof(T));  // each tensor starts on a cache line

  Trainable<T, B> trainable_;
  std::vector<std::string> slots_;
  std::vector<Index> offsets_;
  Index padded_ = 0;  // elements of one slot of all parameters
  PagedBuffer<T, B> memory_;
  std::vector<detail::StatePiece> pieces_;
  Index steps_ = 0;
};

namespace detail {

/// Refuses a decay rate outside [0, 1).
inline void require_rate(double value, char const* tag, char const* name) {
  require(value >= 0 && value < 1, tag, name, " must be in [0, 1): got ", value);
}

/// Refuses a value that is negative or not finite.
inline void require_not_negative(double value, char const* tag, char const* name) {
  require(std::isfinite(value) && value >= 0, tag, name, " must be finite and 0 or more: got ", value);
}

}  // namespace detail
}  // namespace graft
