// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "training_flags.hpp"

#include <graft/train/policy_guards.hpp>
#include <graft/train/rollouts.hpp>

#include <string>
#include <vector>

namespace cli {

/// What the commands that learn from rewards for their own answers have beside every trainer's flags; `rollout` is filled as they are read.
struct RolloutFlags : TrainingFlags {
  graft::RolloutOptions rollout;
  graft::PolicyGuards guards;
  std::vector<std::string> rewards, reward_models;
  std::vector<double> reward_weights;  ///< of `rewards`, then of `reward_models`
  double missing_eos_penalty = 0;
  graft::Index tokens_per_batch = 4096;
  std::string reference = "initial";
  std::string judge, answer_field = "answer";
  bool save_rollouts = false;
};

void add_rollout_flags(CLI::App& app, RolloutFlags& flags, FlagGroups const& groups);
/// Those of them that decide what a run computes.
[[nodiscard]] RunOptions rollout_options(RolloutFlags const& flags);

}  // namespace cli
