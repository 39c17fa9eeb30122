// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model_flags.hpp"

#include <graft/core/scalar.hpp>

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace cli {

/// The flags that every trainer has. Defaults are TRL's and PEFT's where they have one; a trainer whose own differ sets them
/// before it adds the flags.
struct TrainingFlags {
  ModelFlags model;
  std::string data, eval_data, output, metrics, init_adapter;

  std::string method = "lora";
  graft::Index rank = 16;
  double alpha = 32;
  double dropout = 0;
  bool rslora = false;
  std::string bias = "none";
  std::vector<std::string> target_modules{"all-linear"};
  std::vector<std::string> modules_to_save, exclude_modules;
  std::vector<graft::Index> layers_to_transform;
  std::vector<std::string> rank_pattern, alpha_pattern;  ///< key=value each

  std::string optimizer = "adamw";
  bool paged_activations = false;
  std::string page_directory;  ///< of what is paged; empty: OUTPUT
  double learning_rate = 2e-4;
  std::string schedule = "linear";
  double cycles = 1;
  double power = 1;
  graft::Index timescale = 0;
  graft::Index decay_steps = 0;
  std::string decay_shape = "cosine";
  graft::Index warmup_steps = 0;
  double min_learning_rate = 0;
  double weight_decay = 0;
  double momentum = 0;
  double max_grad_norm = 1;

  graft::Index batch_size = 8;
  graft::Index gradient_accumulation = 1;
  graft::Index max_length = 1024;
  double epochs = 1;
  graft::Index max_steps = 0;
  std::uint64_t seed = 42;
  bool no_shuffle = false;

  graft::Index eval_steps = 0;
  graft::Index patience = 0;
  graft::Index save_steps = 0;
  graft::Index save_total_limit = 2;
  std::string recompute = "none";
  std::size_t memory_limit = 0;  ///< bytes; 0: none
  bool resume = false;
};

/// The groups that the flags stand in, for a trainer to add its own.
struct FlagGroups {
  CLI::Option_group* data;
  CLI::Option_group* method;
  CLI::Option_group* optimization;
  CLI::Option_group* run;
};

FlagGroups add_training_flags(CLI::App& app, TrainingFlags& flags);

/// The name of an optimizer without "paged_": where its state lies changes nothing that is computed.
[[nodiscard]] std::string unpaged(std::string const& optimizer);

/// Options of a run by name, as its checkpoints hold them.
using RunOptions = std::map<std::string, std::string>;

/// Those flags that decide what a run computes: a resumed run must have the same.
[[nodiscard]] RunOptions options_of(TrainingFlags const& flags);

/// Adds an option to them, a number with all its digits.
template <class T>
void set_option(RunOptions& options, char const* name, T const& value) {
  std::ostringstream text;
  text.precision(17);
  text << value;
  options[name] = text.str();
}

}  // namespace cli
