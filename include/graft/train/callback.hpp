// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/loss/metrics.hpp>

#include <concepts>

namespace graft {

enum class Flow : bool { proceed, stop };

/// What a callback sees after an optimizer step.
struct StepContext {
  Index step = 0;         ///< steps done, from 1
  Index total_steps = 0;  ///< of the whole run
  double loss = 0;
  double nll_per_token = 0;
  double grad_norm = 0;  ///< before clipping
  double learning_rate = 0;
  Index supervised_tokens = 0;
  Index tokens = 0;
  double seconds = 0;  ///< of this step
  double flops = 0;    ///< of this step; 0 unless TrainOptions::count_flops
  Metrics metrics{};   ///< what the loss tells beside its value
};

template <class C>
concept HasStepEnd = requires(C& callback, StepContext const& context) {
  { callback.on_step_end(context) } -> std::same_as<Flow>;
};
template <class C>
concept HasTrainEnd = requires(C& callback, StepContext const& context) {
  { callback.on_train_end(context) } -> std::same_as<void>;
};

/// A callback has at least one real hook, so a misspelled one does not compile:
///   Flow on_step_end(StepContext const&)   after each step; Flow::stop ends the run
///   void on_train_end(StepContext const&)  once, with the last step's context
template <class C>
concept Callback = HasStepEnd<C> || HasTrainEnd<C>;

}  // namespace graft
