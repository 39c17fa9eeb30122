// SPDX-License-Identifier: Apache-2.0
#include "training_flags.hpp"

#include <graft/optim/named_schedule.hpp>

namespace cli {

FlagGroups add_training_flags(CLI::App& app, TrainingFlags& flags) {
  add_model_flags(app, flags.model);
  auto const group = [&](char const* name) { return app.add_option_group(name); };
  auto* data = group("data");
  data->add_option("--data", flags.data, "JSONL file to train on, plain or .gz")->required();
  data->add_option("--eval-data", flags.eval_data, "JSONL file of held-out records");
  data->add_option("--max-length", flags.max_length, "tokens of a record; longer ones are cut, and counted")->capture_default_str();
  data->add_flag("--no-shuffle", flags.no_shuffle, "take the records in the file's order");
  data->add_option("--seed", flags.seed, "of order, adapter and dropout")->capture_default_str();

  auto* method = group("method");
  method->add_option("--method", flags.method, "lora: an adapter; full: every weight")
      ->check(CLI::IsMember({"lora", "full"}))->capture_default_str();
  method->add_option("--init-adapter", flags.init_adapter, "PEFT directory to start from; its settings replace the flags below");
  method->add_option("--rank", flags.rank, "rank of the adapter's matrices")->capture_default_str();
  method->add_option("--alpha", flags.alpha, "the update is scaled by alpha / rank")->capture_default_str();
  method->add_option("--dropout", flags.dropout, "of the adapter's input")->capture_default_str();
  method->add_flag("--rslora", flags.rslora, "scale by alpha / sqrt(rank)");
  method->add_option("--bias", flags.bias, "biases to train")->check(CLI::IsMember({"none", "all", "lora_only"}))->capture_default_str();
  method->add_option("--target-modules", flags.target_modules, "all-linear, or names such as q_proj,v_proj")
      ->delimiter(',')->capture_default_str();
  method->add_option("--modules-to-save", flags.modules_to_save, "modules to train whole")->delimiter(',');
  method->add_option("--exclude-modules", flags.exclude_modules, "modules that get no adapter, whatever --target-modules says")->delimiter(',');
  method->add_option("--layers-to-transform", flags.layers_to_transform, "layers that get adapters, such as 20,21,22; default: all")
      ->check(CLI::NonNegativeNumber)->delimiter(',');
  method->add_option("--rank-pattern", flags.rank_pattern, "other ranks by module name (an expression), such as down_proj=4,0.mlp.up_proj=2")
      ->delimiter(',');
  method->add_option("--alpha-pattern", flags.alpha_pattern, "the same for alpha")->delimiter(',');

  auto* optimizer = group("optimization");
  std::map<std::string, std::string> const others{{"paged_adamw_32bit", "paged_adamw"}, {"paged_adamw_8bit", "paged_adamw8bit"},
                                                  {"paged_lion_32bit", "paged_lion"},   {"paged_lion_8bit", "paged_lion8bit"}};
  optimizer->add_option("--optimizer", flags.optimizer, "who steps; paged: its state in a file of --page-directory")
      ->transform(CLI::Transformer(others))
      ->check(CLI::IsMember({"adamw", "sgd", "lion", "adafactor", "adamw8bit", "lion8bit", "paged_adamw", "paged_lion", "paged_adamw8bit",
                             "paged_lion8bit"}))->capture_default_str();
  optimizer->add_option("--page-directory", flags.page_directory, "of a disk with room for what is paged; default: OUTPUT");
  optimizer->add_flag("--paged-activations", flags.paged_activations, "activations in a file of --page-directory: those of a layer at a time are in memory");
  optimizer->add_option("--learning-rate", flags.learning_rate, "at its peak")->capture_default_str();
  optimizer->add_option("--schedule", flags.schedule, std::string(graft::NamedSchedule::names))->capture_default_str();
  optimizer->add_option("--warmup-steps", flags.warmup_steps, "steps to the peak")->capture_default_str();
  optimizer->add_option("--min-learning-rate", flags.min_learning_rate, "where cosine, polynomial and warmup_stable_decay end")->capture_default_str();
  optimizer->add_option("--cycles", flags.cycles, "of cosine_with_restarts")->capture_default_str();
  optimizer->add_option("--power", flags.power, "of polynomial")->capture_default_str();
  optimizer->add_option("--timescale", flags.timescale, "of inverse_sqrt; 0: the warm-up's steps")->capture_default_str();
  optimizer->add_option("--decay-steps", flags.decay_steps, "of warmup_stable_decay, the last of the run")->capture_default_str();
  optimizer->add_option("--decay-shape", flags.decay_shape, "of warmup_stable_decay")
      ->check(CLI::IsMember({"linear", "cosine", "1-sqrt"}))->capture_default_str();
  optimizer->add_option("--weight-decay", flags.weight_decay, "of matrices")->capture_default_str();
  optimizer->add_option("--momentum", flags.momentum, "of sgd")->capture_default_str();
  optimizer->add_option("--max-grad-norm", flags.max_grad_norm, "longer gradients are scaled to it; 0: never")->capture_default_str();
  optimizer->add_option("--batch-size", flags.batch_size, "records of an optimizer step")->capture_default_str();
  optimizer->add_option("--gradient-accumulation", flags.gradient_accumulation, "parts that a step is computed in, to save memory")
      ->capture_default_str();
  optimizer->add_option("--epochs", flags.epochs, "passes over the data")->capture_default_str();
  optimizer->add_option("--max-steps", flags.max_steps, "steps, whatever --epochs says; 0: as many as the epochs take")->capture_default_str();
  optimizer->add_option("--recompute", flags.recompute, "what backward computes again to save memory")
      ->check(CLI::IsMember({"none", "selective", "full"}))->capture_default_str();
  optimizer->add_option("--memory-limit", flags.memory_limit, "most memory of the run, e.g. 450M or 2G: chooses --recompute and --gradient-accumulation")
      ->transform(CLI::AsSizeValue(false));

  auto* run = group("run");
  run->add_option("--output", flags.output, "directory for the adapter (or model), checkpoints and metrics")->required();
  run->add_option("--metrics", flags.metrics, "JSON lines, one a step; default: OUTPUT/metrics.jsonl");
  run->add_option("--eval-steps", flags.eval_steps, "steps between evaluations; 0: at the end only")->capture_default_str();
  run->add_option("--early-stopping-patience", flags.patience, "evaluations without gain that end the run; 0: never")->capture_default_str();
  run->add_option("--save-steps", flags.save_steps, "steps between checkpoints; 0: none")->capture_default_str();
  run->add_option("--save-total-limit", flags.save_total_limit, "checkpoints to keep")->capture_default_str();
  run->add_flag("--resume", flags.resume, "go on from the newest checkpoint in OUTPUT");
  return {data, method, optimizer, run};
}

std::string unpaged(std::string const& optimizer) {
  std::string_view const prefix = "paged_";
  return optimizer.starts_with(prefix) ? optimizer.substr(prefix.size()) : optimizer;
}

RunOptions options_of(TrainingFlags const& flags) {
  RunOptions options;
  auto const set = [&](char const* name, auto const& value) { set_option(options, name, value); };
  auto const join = [](std::vector<std::string> const& parts) {
    std::string text;
    for (auto const& part : parts) text += (text.empty() ? "" : ",") + part;
    return text;
  };
  set("model", flags.model.model);
  set("data", flags.data);
  set("max-length", flags.max_length);
  set("seed", flags.seed);
  set("shuffle", !flags.no_shuffle);
  set("method", flags.method);
  set("init-adapter", flags.init_adapter);
  set("rank", flags.rank);
  set("alpha", flags.alpha);
  set("dropout", flags.dropout);
  set("rslora", flags.rslora);
  set("bias", flags.bias);
  set("target-modules", join(flags.target_modules));
  set("modules-to-save", join(flags.modules_to_save));
  set("exclude-modules", join(flags.exclude_modules));
  std::vector<std::string> layers;
  for (auto const layer : flags.layers_to_transform) layers.push_back(std::to_string(layer));
  set("layers-to-transform", join(layers));
  set("rank-pattern", join(flags.rank_pattern));
  set("alpha-pattern", join(flags.alpha_pattern));
  set("optimizer", unpaged(flags.optimizer));
  set("learning-rate", flags.learning_rate);
  set("schedule", flags.schedule);
  set("cycles", flags.cycles);
  set("power", flags.power);
  set("timescale", flags.timescale);
  set("decay-steps", flags.decay_steps);
  set("decay-shape", flags.decay_shape);
  set("warmup-steps", flags.warmup_steps);
  set("min-learning-rate", flags.min_learning_rate);
  set("weight-decay", flags.weight_decay);
  set("momentum", flags.momentum);
  set("max-grad-norm", flags.max_grad_norm);
  set("batch-size", flags.batch_size);
  set("gradient-accumulation", flags.gradient_accumulation);
  set("epochs", flags.epochs);
  set("max-steps", flags.max_steps);
  set("precision", flags.model.precision);
  set("backend", flags.model.backend);
  set("chat-format", flags.model.chat_format);
  return options;
}

}  // namespace cli
