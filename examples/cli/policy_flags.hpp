// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "training_flags.hpp"

#include <graft/model/sampling.hpp>
#include <graft/train/policy_gradient.hpp>
#include <graft/train/policy_guards.hpp>
#include <graft/train/verifiable_rewards.hpp>

#include <string>
#include <vector>

namespace cli {

/// The flags of `graft grpo` and `graft ppo` beside every trainer's; `learning` and `rollout` are filled as they are read.
struct PolicyFlags : TrainingFlags {
  graft::RolloutOptions rollout;
  graft::PolicyGradient learning;
  graft::PolicyGuards guards;
  std::vector<std::string> rewards;
  std::vector<double> reward_weights;
  std::string judge, answer_field = "answer";
  bool shared_critic = false;
  bool save_rollouts = false;
};

void add_policy_flags(CLI::App& app, PolicyFlags& flags, FlagGroups const& groups);
/// Those of them that decide what a run computes.
[[nodiscard]] RunOptions policy_options(PolicyFlags const& flags);
/// The weighted sum of --reward.
[[nodiscard]] graft::Reward reward_of(PolicyFlags const& flags);

/// A whole run: rollouts, rewards, steps, metrics, guards, evaluation on held-out prompts, checkpoints, and the adapter at the end.
void run_policy(PolicyFlags const& flags);

}  // namespace cli
