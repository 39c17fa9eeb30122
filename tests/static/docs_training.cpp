// SPDX-License-Identifier: Apache-2.0
// The snippets of docs/training.md, between the markers. Compiling is the test.
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/batches.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/schedule.hpp>
#include <graft/train/run_callbacks.hpp>
#include <graft/train/train.hpp>

#include <cstdio>
#include <iostream>

namespace docs_training {

using namespace graft;

// docs: callback
/// Prints every tenth step and ends the run once the loss is small enough.
struct StopWhenLearnt {
  double enough = 0.05;

  Flow on_step_end(StepContext const& context) {
    if (context.step % 10 == 0) std::printf("step %td  loss %.4f\n", context.step, context.loss);
    return context.loss < enough ? Flow::stop : Flow::proceed;
  }
};

template <class Model, class O, class Data>
void learn(Model& model, O& optimizer, Data& data) {
  StopWhenLearnt stop{.enough = 0.1};
  train(model, CrossEntropy{}, optimizer, Constant{1e-4}, data, {.total_steps = 400}, stop);
}
// docs: end

// docs: run
template <class Model, class O, class Schedule, class Data>
void run(Model& model, O& optimizer, Schedule const& schedule, Data& data, Data& held_out, Index total_steps,
         std::filesystem::path const& output) {
  std::filesystem::create_directories(output);
  TrainerState state;
  std::optional<Index> resume_after;
  if (auto const checkpoint = latest_checkpoint(output)) {
    state = load_checkpoint(*checkpoint, model, optimizer);
    data.seek(state.cursor);
    resume_after = state.step;
  }
  model.set_dropout(7, state.dropout_pass);

  MetricsLog metrics(output / "metrics.jsonl", resume_after);
  EvaluationLog evaluations(output / "evaluations.jsonl", resume_after);
  Progress progress(std::cerr, {.total_steps = total_steps, .terminal = is_terminal(2)});
  ShowProgress show(progress);
  LogMetrics log({&metrics});
  auto const on_held_out = [&] {
    held_out.rewind();
    return evaluate(model, held_out.epochs(1));
  };
  auto const keep_best = [&](Index) { save_checkpoint(output / "best", model, optimizer, state); };
  EvaluateEvery early_stopping({.every = 50, .patience = 3}, state, on_held_out, keep_best, evaluations, progress);
  SaveCheckpoints save(output, 50, 2, state, model, optimizer, data);
  train(model, CrossEntropy{}, optimizer, schedule, data, {.total_steps = total_steps, .first_step = state.step}, show, log,
        early_stopping, save);
}
// docs: end

using Model = Transformer<Llama, double, Reference, Lora>;
using Optimizer = Bound<AdamW, double, Reference>;
template void learn(Model&, Optimizer&, Batches&);
template void run(Model&, Optimizer&, CosineWithWarmup const&, Batches&, Batches&, Index, std::filesystem::path const&);

}  // namespace docs_training
