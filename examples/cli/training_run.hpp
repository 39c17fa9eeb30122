// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory_layout.hpp"
#include "training_setup.hpp"

#include <graft/backend/ceiling.hpp>
#include <graft/optim/named_schedule.hpp>
#include <graft/train/loss_curve.hpp>
#include <graft/train/run_callbacks.hpp>
#include <graft/train/train.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

namespace cli {

/// What is a trainer's own in a run.
struct Trainer {
  RunOptions options;                                     ///< what a resumed run must share: `options_of` and more
  std::vector<std::string> metric_columns{};              ///< of metrics.csv, of what its loss tells beside the value
  std::function<graft::EvaluationSummary()> evaluate{};   ///< on held-out data; empty: there is none
  std::size_t program_bytes = 0;                          ///< resident before the model was built: for --memory-limit
  bool base_passes = false;                               ///< the data runs the model without gradient as it makes batches
  /// What it carries beside weights and optimizer: notes that in the state after each step, and takes it back when resumed.
  std::function<void(graft::StepContext const&, graft::TrainerState&)> after_step{};
  std::function<void(graft::TrainerState const&)> resumed{};
};

/// The data that batches are made of, where `data` is another source with something added: its own steps cost no pass.
template <class Data>
[[nodiscard]] auto& plain_source(Data& data) {
  if constexpr (requires { data.source(); })
    return data.source();
  else
    return data;
}

/// Calls a trainer's `after_step`, before a checkpoint is written.
struct CarryState {
  Trainer const& trainer;
  graft::TrainerState& state;

  graft::Flow on_step_end(graft::StepContext const& context) {
    if (trainer.after_step) trainer.after_step(context, state);
    return graft::Flow::proceed;
  }
};

/// A whole run: optimizer and schedule from the flags, memory reserved, resumed if asked for, then `graft::train` with
/// metrics, progress, evaluations, checkpoints and, at the end, the best weights and the picture of the loss.
template <graft::TrainingLoss L, class Data>
void run_training(TrainingFlags const& flags, Trainer const& trainer, Model& model, L const& loss, Data& data) {
  namespace fs = std::filesystem;
  fs::path const output = flags.output;
  auto optimizer = bind_optimizer(flags, model.trainable());
  graft::Index const total = total_steps(flags, data.steps_per_epoch(0));
  graft::NamedSchedule const schedule(flags.schedule, {.peak_lr = flags.learning_rate,
                                                       .warmup_steps = flags.warmup_steps,
                                                       .total_steps = total,
                                                       .min_lr = flags.min_learning_rate,
                                                       .cycles = flags.cycles,
                                                       .power = flags.power,
                                                       .timescale = flags.timescale,
                                                       .decay_steps = flags.decay_steps,
                                                       .decay_shape = flags.decay_shape == "linear"   ? graft::RampShape::linear
                                                                      : flags.decay_shape == "cosine" ? graft::RampShape::cosine
                                                                                                      : graft::RampShape::one_minus_sqrt});

  graft::TrainerState state;
  state.options = trainer.options;
  page_activations(flags, model);
  fit_run<typename L::Batch>(flags, state.options, trainer.program_bytes, std::min(total, 2 * data.steps_per_epoch(0)), model, plain_source(data));
  if (flags.resume) {
    auto const checkpoint = graft::latest_checkpoint(output);
    graft::require(checkpoint.has_value(), "resume", "there is no checkpoint-<step> in ", output.string());
    graft::check_same_options(graft::read_trainer_state(*checkpoint), state.options, *checkpoint);
    state = graft::load_checkpoint(*checkpoint, model, optimizer);
    data.seek(state.cursor);
    if (trainer.resumed) trainer.resumed(state);
    std::cerr << "resuming from " << checkpoint->string() << '\n';
  }
  model.set_dropout(flags.seed, state.dropout_pass);
  auto const extent = largest_batch<typename L::Batch>(plain_source(data), std::min(total - state.step, 2 * data.steps_per_epoch(0)));
  auto const expected = graft::plan_memory(model, extent, state_bytes(flags), trainer.program_bytes);
  auto const plan = model.reserve(extent, graft::step_options(loss));
  if (trainer.base_passes) model.reserve(extent, {});
  std::cerr << "training " << model.trainable().elements() << " parameters in " << model.adapted_modules().size()
            << " adapted modules, " << total << " steps; activations and scratch "
            << graft::format_bytes(static_cast<double>(plan.arena_bytes)) << ", planned peak "
            << graft::format_bytes(static_cast<double>(expected.total())) << '\n';

  std::optional<graft::Index> const resume_after = flags.resume ? std::optional(state.step) : std::nullopt;
  fs::path const metrics = flags.metrics.empty() ? output / "metrics.jsonl" : fs::path(flags.metrics);
  graft::MetricsLog jsonl(metrics, resume_after, trainer.metric_columns);
  graft::MetricsLog csv(output / "metrics.csv", resume_after, trainer.metric_columns);
  graft::EvaluationLog evaluations(output / "evaluations.jsonl", resume_after);
  graft::Progress progress(std::cerr, {.total_steps = total,
                                       .ceiling_flops = 1e9 * graft::measured_gemm_gflops(model.backend()),
                                       .terminal = graft::is_terminal(2)});
  graft::ShowProgress show(progress);
  graft::LogMetrics log({&jsonl, &csv}, [&] { return stream_metrics(model.stream_statistics()); });
  graft::SaveCheckpoints save(output, flags.save_steps, flags.save_total_limit, state, model, optimizer, data);
  fs::path const best = output / "best";
  graft::EvaluateEvery evaluate(
      {.every = flags.eval_steps, .patience = flags.patience}, state, trainer.evaluate,
      [&](graft::Index) {
        if (flags.eval_steps > 0) graft::save_checkpoint(best, model, optimizer, state);
      },
      evaluations, progress);
  graft::TrainOptions const options{.total_steps = total,
                                    .first_step = state.step,
                                    .max_grad_norm = gradient_bound(flags),
                                    .count_flops = true};
  CarryState carry{trainer, state};
  graft::Index const first = state.step;
  auto const start = std::chrono::steady_clock::now();
  if (trainer.evaluate)
    graft::train(model, loss, optimizer, schedule, data, options, carry, show, log, evaluate, save);
  else
    graft::train(model, loss, optimizer, schedule, data, options, carry, show, log, save);
  report_stream(model.stream_statistics(), state.step - first,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());

  if (flags.eval_steps > 0 && trainer.evaluate && state.best_step != state.step) {
    (void)graft::load_checkpoint(best, model, optimizer);
    std::cerr << "the best weights are those of step " << state.best_step << ": keeping them\n";
  }
  std::error_code ignored;
  fs::remove_all(best, ignored);
  graft::write_loss_curve(output / "loss.svg",
                          {.rows = graft::read_rows(metrics),
                           .evaluations = graft::read_rows<graft::EvaluationRow>(output / "evaluations.jsonl")});
}

}  // namespace cli
