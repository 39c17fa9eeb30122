// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model_flags.hpp"

#include <graft/core/scalar.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cli {

/// The flags of `graft sft`. Defaults are TRL's and PEFT's where they have one.
struct SftFlags {
  ModelFlags model;
  std::string data, eval_data, output, metrics, init_adapter, curve;

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
  double learning_rate = 2e-4;
  std::string schedule = "linear";
  graft::Index warmup_steps = 0;
  double min_learning_rate = 0;
  double weight_decay = 0;
  double momentum = 0;
  double max_grad_norm = 1;
  double label_smoothing = 0;
  double z_loss = 0;

  graft::Index batch_size = 8;
  graft::Index gradient_accumulation = 1;
  graft::Index max_length = 1024;
  double epochs = 1;
  graft::Index max_steps = 0;
  std::uint64_t seed = 42;
  bool no_shuffle = false;
  bool last_turn_only = false;

  graft::Index eval_steps = 0;
  graft::Index patience = 0;
  graft::Index save_steps = 0;
  graft::Index save_total_limit = 2;
  std::string recompute = "none";
  bool resume = false;
};

void add_sft_flags(CLI::App& app, SftFlags& flags);

/// Those flags that decide what a run computes: a resumed run must have the same.
[[nodiscard]] std::map<std::string, std::string> options_of(SftFlags const& flags);

}  // namespace cli
