// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/concept.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/clip.hpp>
#include <graft/train/callback.hpp>
#include <graft/train/value_and_grad.hpp>

#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace graft {

struct TrainOptions {
  Index total_steps = 0;      ///< optimizer steps of the whole run
  Index first_step = 0;       ///< steps already done: a resumed run
  double max_grad_norm = 1;   ///< infinity: only measure
  bool count_flops = false;   ///< fill StepContext::flops
};

/// Names the first parameter whose gradient is not finite, for the error that stops a run.
template <Scalar T, class B>
[[nodiscard]] std::string first_nonfinite_gradient(Trainable<T, B> const& trainable) {
  for (auto const& param : trainable.params)
    if (!std::isfinite(trainable.backend->sum_of_squares(In<T>(param.grad)))) return param.name;
  return "none: the loss itself";
}

/// The training loop, written with the calls that are yours too: take a step's micro-batches, value_and_grad, clip, step.
/// It stops at total_steps or when a callback says so, and throws when a loss or gradient is not finite, before that
/// gradient reaches a weight. A steady step allocates nothing. Returns the last step's context.
/// The data gives batches of the loss's own kind: what it reads beyond tokens is in them.
template <class Model, TrainingLoss L, class O, class Schedule, DataSource<typename L::Batch> Data, Callback... Callbacks>
StepContext train(Model& model, L const& loss, O& optimizer, Schedule const& schedule, Data& data,
                  TrainOptions const& options, Callbacks&... callbacks) {
  using Clock = std::chrono::steady_clock;
  StepContext context;
  context.total_steps = options.total_steps;
  std::vector<typename L::Batch> step;
  for (Index done = options.first_step; done < options.total_steps; ++done) {
    auto const start = Clock::now();
    data.next_step(step);
    LossReport const report = value_and_grad(model, loss, step);
    double const norm = clip_grad_norm(model.trainable(), options.max_grad_norm);
    require(std::isfinite(report.value) && std::isfinite(norm), "train", "step ", done + 1, " has loss=", report.value,
            " and gradient norm=", norm, "; the first gradient that is not finite: ",
            first_nonfinite_gradient(model.trainable()),
            ". The weights are those of step ", done, "; try a lower learning rate");
    optimizer.step(schedule(done));

    context.step = done + 1;
    context.loss = report.value;
    context.nll_per_token = report.weight > 0 ? report.negative_log_likelihood / report.weight : 0;
    context.metrics = report.metrics;
    context.grad_norm = norm;
    context.learning_rate = schedule(done);
    context.tokens = context.supervised_tokens = 0;
    context.flops = 0;
    for (auto const& batch : step) {
      context.tokens += batch.tokens();
      context.supervised_tokens += batch.supervised();
      if (options.count_flops) context.flops += model.plan(batch, step_options(loss)).flops;
    }
    context.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    bool stop = false;
    [[maybe_unused]] auto const notify = [&](auto& callback) {
      if constexpr (HasStepEnd<std::remove_reference_t<decltype(callback)>>)
        stop = callback.on_step_end(context) == Flow::stop || stop;
    };
    (notify(callbacks), ...);
    if (stop) break;
  }
  [[maybe_unused]] auto const finish = [&](auto& callback) {
    if constexpr (HasTrainEnd<std::remove_reference_t<decltype(callback)>>) callback.on_train_end(context);
  };
  (finish(callbacks), ...);
  return context;
}

}  // namespace graft
