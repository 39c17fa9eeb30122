// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"
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
  std::vector<std::string> rewards, reward_models;
  std::vector<double> reward_weights;  ///< of `rewards`, then of `reward_models`
  std::string reference = "initial";
  std::string judge, answer_field = "answer";
  bool shared_critic = false;
  std::string init_critic;  ///< a reward model that the critic begins as
  bool save_rollouts = false;
};

void add_policy_flags(CLI::App& app, PolicyFlags& flags, FlagGroups const& groups);
/// Those of them that decide what a run computes.
[[nodiscard]] RunOptions policy_options(PolicyFlags const& flags);
/// A whole run: rollouts, rewards, steps, metrics, guards, evaluation on held-out prompts, checkpoints, and the adapter at the end.
void run_policy(PolicyFlags const& flags, Session& session);

}  // namespace cli
