// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/train/callback.hpp>
#include <graft/train/checkpoint.hpp>
#include <graft/train/evaluate.hpp>
#include <graft/train/metrics_log.hpp>
#include <graft/train/progress.hpp>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace graft {

/// Shows each step on a progress line.
class ShowProgress {
 public:
  explicit ShowProgress(Progress& progress) : progress_(&progress) {}
  Flow on_step_end(StepContext const& context) {
    progress_->update({.step = context.step,
                       .loss = context.loss,
                       .learning_rate = context.learning_rate,
                       .tokens = context.tokens,
                       .flops = context.flops,
                       .seconds = context.seconds});
    return Flow::proceed;
  }
  void on_train_end(StepContext const&) { progress_->finish(); }

 private:
  Progress* progress_;
};

/// Writes each step to metrics files, and at the end the peak memory and what `of_run` tells of the whole run.
class LogMetrics {
 public:
  explicit LogMetrics(std::vector<MetricsLog*> logs, std::function<Metrics()> of_run = {}) : logs_(std::move(logs)), of_run_(std::move(of_run)) {}
  Flow on_step_end(StepContext const& context) {
    MetricsRow const row{.step = context.step,
                         .loss = context.loss,
                         .grad_norm = context.grad_norm,
                         .learning_rate = context.learning_rate,
                         .supervised_tokens = context.supervised_tokens,
                         .tokens = context.tokens,
                         .seconds = context.seconds,
                         .tokens_per_second = static_cast<double>(context.tokens) / context.seconds,
                         .metrics = context.metrics};
    for (auto* log : logs_) log->write(row);
    return Flow::proceed;
  }
  void on_train_end(StepContext const&) {
    for (auto* log : logs_) log->finish(peak_rss_bytes(), of_run_ ? of_run_() : Metrics{});
  }

 private:
  std::vector<MetricsLog*> logs_;
  std::function<Metrics()> of_run_;
};

struct EvaluateEveryOptions {
  Index every = 0;          ///< steps between evaluations; 0: only at the end
  Index patience = 0;       ///< stop after so many evaluations in a row without gain; 0: never
  double least_gain = 0;    ///< what counts as a gain
};

/// Evaluates on held-out data every n steps and at the end, keeps count of the best, and stops when nothing is gained.
/// `evaluate` returns what was found; `on_best` is called when it is the best so far, with the step.
class EvaluateEvery {
 public:
  EvaluateEvery(EvaluateEveryOptions options, TrainerState& state, std::function<EvaluationSummary()> evaluate,
                std::function<void(Index)> on_best, EvaluationLog& log, Progress& progress)
      : options_(options),
        state_(&state),
        evaluate_(std::move(evaluate)),
        on_best_(std::move(on_best)),
        log_(&log),
        progress_(&progress) {}

  Flow on_step_end(StepContext const& context) {
    bool const last = context.step == context.total_steps;
    if (!last && (options_.every == 0 || context.step % options_.every != 0)) return Flow::proceed;
    auto const start = std::chrono::steady_clock::now();
    EvaluationSummary const evaluation = evaluate_();
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    double const loss = evaluation.loss;
    log_->write({.step = context.step,
                 .loss = loss,
                 .supervised_tokens = evaluation.supervised_tokens,
                 .seconds = seconds,
                 .metrics = evaluation.metrics});
    bool const best = std::isfinite(loss) && (!state_->best_metric || loss < *state_->best_metric - options_.least_gain);
    std::ostringstream text;
    text << "step " << context.step << "  held-out loss " << loss << "  " << evaluation.remarks << (best ? "  (best so far)" : "");
    progress_->message(text.str());
    if (best) {
      state_->best_metric = loss;
      state_->best_step = context.step;
      state_->evaluations_without_gain = 0;
      on_best_(context.step);
      return Flow::proceed;
    }
    ++state_->evaluations_without_gain;
    if (options_.patience == 0 || state_->evaluations_without_gain < options_.patience) return Flow::proceed;
    progress_->message("stopping early: " + std::to_string(options_.patience) + " evaluations without gain");
    return Flow::stop;
  }

 private:
  EvaluateEveryOptions options_;
  TrainerState* state_;
  std::function<EvaluationSummary()> evaluate_;
  std::function<void(Index)> on_best_;
  EvaluationLog* log_;
  Progress* progress_;
};

/// Writes a checkpoint every n steps and keeps the newest few and the best.
template <class Model, class O, class Data>
class SaveCheckpoints {
 public:
  SaveCheckpoints(std::filesystem::path output, Index every, Index keep, TrainerState& state, Model const& model,
                  O const& optimizer, Data const& data)
      : output_(std::move(output)), every_(every), keep_(keep), state_(&state), model_(&model), optimizer_(&optimizer), data_(&data) {}

  Flow on_step_end(StepContext const& context) {
    state_->step = context.step;
    state_->cursor = data_->cursor();
    state_->dropout_pass = model_->pass();
    if (every_ > 0 && context.step % every_ == 0) {
      save_checkpoint(output_ / ("checkpoint-" + std::to_string(context.step)), *model_, *optimizer_, *state_);
      prune_checkpoints(output_, keep_, state_->best_step);
    }
    return Flow::proceed;
  }

 private:
  std::filesystem::path output_;
  Index every_;
  Index keep_;
  TrainerState* state_;
  Model const* model_;
  O const* optimizer_;
  Data const* data_;
};

}  // namespace graft
