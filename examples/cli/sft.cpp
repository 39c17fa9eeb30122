// SPDX-License-Identifier: Apache-2.0
// graft sft: supervised fine-tuning of an adapter, or of every weight, on a JSONL file.
#include "commands.hpp"
#include "session.hpp"
#include "sft_flags.hpp"

#include <graft/backend/ceiling.hpp>
#include <graft/data/chat_data.hpp>
#include <graft/io/save_model.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/adamw8bit.hpp>
#include <graft/optim/lion.hpp>
#include <graft/optim/lion8bit.hpp>
#include <graft/optim/named_schedule.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/train/loss_curve.hpp>
#include <graft/train/run_callbacks.hpp>
#include <graft/train/train.hpp>

#include <charconv>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>

namespace cli {

namespace fs = std::filesystem;
using graft::Index;

/// "key=value" of --rank-pattern and --alpha-pattern. A key may hold "=" itself.
template <class T>
static std::vector<std::pair<std::string, T>> pattern_of(std::vector<std::string> const& entries, char const* flag) {
  std::vector<std::pair<std::string, T>> pattern;
  for (auto const& entry : entries) {
    auto const at = entry.rfind('=');
    T value{};
    char const* const end = entry.data() + entry.size();
    bool const valid = at != std::string::npos && at > 0 && [&] {
      auto const result = std::from_chars(entry.data() + at + 1, end, value);
      return result.ec == std::errc{} && result.ptr == end;
    }();
    graft::require(valid, flag, "\"", entry, "\" must be module=number");
    pattern.emplace_back(entry.substr(0, at), value);
  }
  return pattern;
}

/// The adapter that the flags, or the directory to start from, describe.
static graft::Selected adapter_of(SftFlags const& flags) {
  if (flags.method == "full") return {graft::Method::full, {}};
  if (!flags.init_adapter.empty()) {
    graft::Selected adapter{graft::Method::lora, graft::read_peft_config(flags.init_adapter)};
    adapter.lora.dropout = flags.dropout;
    return adapter;
  }
  bool const all = flags.target_modules == std::vector<std::string>{"all-linear"};
  return {graft::Method::lora,
          graft::Lora{.rank = flags.rank,
                      .alpha = flags.alpha,
                      .dropout = flags.dropout,
                      .rank_stabilized = flags.rslora,
                      .target_modules = all ? graft::TargetModules(graft::all_linear) : graft::TargetModules(flags.target_modules),
                      .bias = flags.bias == "all"         ? graft::TrainBias::all
                              : flags.bias == "lora_only" ? graft::TrainBias::lora_only
                                                          : graft::TrainBias::none,
                      .modules_to_save = flags.modules_to_save,
                      .seed = flags.seed,
                      .exclude_modules = graft::TargetModules(flags.exclude_modules),
                      .layers_to_transform = flags.layers_to_transform,
                      .rank_pattern = pattern_of<Index>(flags.rank_pattern, "--rank-pattern"),
                      .alpha_pattern = pattern_of<double>(flags.alpha_pattern, "--alpha-pattern")}};
}

static graft::ChatDataOptions data_options(SftFlags const& flags, graft::Tokenizer const& tokenizer) {
  graft::ChatDataOptions options;
  options.batch_size = flags.batch_size;
  options.max_length = flags.max_length;
  options.seed = flags.seed;
  options.shuffle = !flags.no_shuffle;
  options.gradient_accumulation = flags.gradient_accumulation;
  options.supervision.assistant_turns = flags.last_turn_only ? graft::AssistantTurns::last : graft::AssistantTurns::all;
  options.chat_format = chosen_format(flags.model, tokenizer);
  return options;
}

/// The largest micro-batch of the first `steps` steps: what memory is planned for. Leaves the data where it was.
static graft::BatchExtent largest_batch(graft::ChatData& data, Index steps) {
  graft::BatchExtent extent;
  auto const cursor = data.cursor();
  std::vector<graft::TokenBatch> step;
  for (Index i = 0; i < steps; ++i) {
    data.next_step(step);
    for (auto const& batch : step) {
      extent.tokens = std::max(extent.tokens, batch.tokens());
      extent.supervised = std::max(extent.supervised, batch.supervised());
      extent.sequences = std::max(extent.sequences, batch.sequences());
    }
  }
  data.seek(cursor);
  return extent;
}

/// Held-out data, and the evaluation of the model on it.
class HeldOut {
 public:
  HeldOut(SftFlags const& flags, Session& session) : model_(&*session.model) {
    if (flags.eval_data.empty()) return;
    auto options = data_options(flags, session.tokenizer());
    options.shuffle = false;
    auto dataset = graft::load_chat_dataset(flags.eval_data, session.tokenizer(), options);
    std::cerr << dataset.report();
    Index const tokens = std::max<Index>(2048, std::min(dataset.report().longest, flags.max_length));
    batches_.emplace(std::move(dataset), graft::BatchOptions{.tokens_per_batch = tokens, .shuffle = false});
  }
  [[nodiscard]] bool present() const { return batches_.has_value(); }
  [[nodiscard]] graft::Evaluation evaluate(bool adapters = true) {
    batches_->rewind();
    return graft::evaluate(*model_, batches_->epochs(1), adapters);
  }

 private:
  Model* model_;
  std::optional<graft::Batches> batches_;
};

template <class Spec>
static void run(SftFlags const& flags, Spec const& optimizer_spec, Session& session, graft::ChatData& data, HeldOut& held_out) {
  auto& model = *session.model;
  fs::path const output = flags.output;
  auto optimizer = graft::bind(optimizer_spec, model.trainable());
  Index const total = flags.max_steps > 0 ? flags.max_steps
                                          : static_cast<Index>(std::ceil(static_cast<double>(data.steps_per_epoch()) * flags.epochs));
  graft::require(total > 0, "sft", "there are no steps to do: --epochs ", flags.epochs, ", --max-steps ", flags.max_steps);
  graft::NamedSchedule const schedule(flags.schedule, {.peak_lr = flags.learning_rate,
                                                       .warmup_steps = flags.warmup_steps,
                                                       .total_steps = total,
                                                       .min_lr = flags.min_learning_rate});
  graft::CrossEntropy const loss{.label_smoothing = flags.label_smoothing, .z_loss = flags.z_loss};

  graft::TrainerState state;
  state.options = options_of(flags);
  if (flags.resume) {
    auto const checkpoint = graft::latest_checkpoint(output);
    graft::require(checkpoint.has_value(), "resume", "there is no checkpoint-<step> in ", output.string());
    graft::check_same_options(graft::read_trainer_state(*checkpoint), state.options, *checkpoint);
    state = graft::load_checkpoint(*checkpoint, model, optimizer);
    data.seek(state.cursor);
    std::cerr << "resuming from " << checkpoint->string() << '\n';
  }
  model.set_dropout(flags.seed, state.dropout_pass);
  auto const plan = model.reserve(largest_batch(data, std::min(total - state.step, 2 * data.steps_per_epoch())));
  std::cerr << "training " << model.trainable().elements() << " parameters in " << model.adapted_modules().size()
            << " adapted modules, " << total << " steps; activations and scratch "
            << graft::format_bytes(static_cast<double>(plan.arena_bytes)) << '\n';

  std::optional<Index> const resume_after = flags.resume ? std::optional(state.step) : std::nullopt;
  fs::path const metrics = flags.metrics.empty() ? output / "metrics.jsonl" : fs::path(flags.metrics);
  graft::MetricsLog jsonl(metrics, resume_after), csv(output / "metrics.csv", resume_after);
  graft::EvaluationLog evaluations(output / "evaluations.jsonl", resume_after);
  graft::Progress progress(std::cerr, {.total_steps = total,
                                       .ceiling_flops = 1e9 * graft::measured_gemm_gflops(*session.backend),
                                       .terminal = graft::is_terminal(2)});
  graft::ShowProgress show(progress);
  graft::LogMetrics log({&jsonl, &csv});
  graft::SaveCheckpoints save(output, flags.save_steps, flags.save_total_limit, state, model, optimizer, data);
  fs::path const best = output / "best";
  graft::EvaluateEvery evaluate({.every = flags.eval_steps, .patience = flags.patience}, state,
                                [&] { return held_out.evaluate(); },
                                [&](Index) { if (flags.eval_steps > 0) graft::save_checkpoint(best, model, optimizer, state); },
                                evaluations, progress);
  graft::TrainOptions const options{.total_steps = total,
                                    .first_step = state.step,
                                    .max_grad_norm = flags.max_grad_norm > 0 ? flags.max_grad_norm
                                                                             : std::numeric_limits<double>::infinity(),
                                    .count_flops = true};
  if (held_out.present())
    graft::train(model, loss, optimizer, schedule, data, options, show, log, evaluate, save);
  else
    graft::train(model, loss, optimizer, schedule, data, options, show, log, save);

  if (flags.eval_steps > 0 && held_out.present() && state.best_step != state.step) {
    (void)graft::load_checkpoint(best, model, optimizer);
    std::cerr << "the best weights are those of step " << state.best_step << ": keeping them\n";
  }
  std::error_code ignored;
  fs::remove_all(best, ignored);
  graft::write_loss_curve(output / "loss.svg",
                          {.rows = graft::read_rows(metrics), .evaluations = graft::read_rows<graft::EvaluationRow>(output / "evaluations.jsonl")});
}

static void sft(SftFlags const& flags) {
  Session session = open_session(flags.model);
  graft::ChatData data(flags.data, session.tokenizer(), data_options(flags, session.tokenizer()));
  std::cerr << data.report();
  build(session, adapter_of(flags), flags.init_adapter);
  HeldOut held_out(flags, session);
  session.model->set_recompute(flags.recompute == "full"        ? graft::Recompute::full
                               : flags.recompute == "selective" ? graft::Recompute::selective
                                                                : graft::Recompute::none);
  fs::create_directories(flags.output);
  double before = 0;
  if (held_out.present() && !flags.resume) {
    before = held_out.evaluate(false).nll_per_token();
    std::cerr << "held-out loss of the untuned model " << before << '\n';
  }
  if (flags.optimizer == "adamw")
    run(flags, graft::AdamW{.weight_decay = flags.weight_decay}, session, data, held_out);
  else if (flags.optimizer == "sgd")
    run(flags, graft::Sgd{.momentum = flags.momentum, .weight_decay = flags.weight_decay}, session, data, held_out);
  else if (flags.optimizer == "lion")
    run(flags, graft::Lion{.weight_decay = flags.weight_decay}, session, data, held_out);
  else if (flags.optimizer == "adamw8bit")
    run(flags, graft::AdamW8bit{.weight_decay = flags.weight_decay}, session, data, held_out);
  else
    run(flags, graft::Lion8bit{.weight_decay = flags.weight_decay}, session, data, held_out);

  if (flags.method == "lora")
    graft::save_peft(*session.model, flags.output, flags.model.model);
  else
    graft::save_model(*session.model, session.files, flags.output);
  std::cerr << "wrote " << (flags.method == "lora" ? "the adapter" : "the model") << " to " << flags.output
            << " and its loss curve to " << (fs::path(flags.output) / "loss.svg").string() << '\n';
}

void add_sft(CLI::App& app) {
  auto const flags = std::make_shared<SftFlags>();
  auto* command = app.add_subcommand("sft", "supervised fine-tuning: an adapter, or every weight");
  add_sft_flags(*command, *flags);
  command->callback([flags] { sft(*flags); });
}

}  // namespace cli
