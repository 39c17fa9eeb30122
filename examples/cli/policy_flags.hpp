// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rollout_flags.hpp"
#include "session.hpp"

#include <graft/train/policy_gradient.hpp>

#include <string>

namespace cli {

/// The flags of `graft grpo` and `graft ppo`; `learning` is filled as they are read.
struct PolicyFlags : RolloutFlags {
  graft::PolicyGradient learning;
  bool shared_critic = false;
  std::string init_critic;  ///< a reward model that the critic begins as
};

void add_policy_flags(CLI::App& app, PolicyFlags& flags, FlagGroups const& groups);
/// Those of them that decide what a run computes.
[[nodiscard]] RunOptions policy_options(PolicyFlags const& flags);
/// A whole run (`run_rollouts`) of learning by policy gradients, with the critic if there is one.
void run_policy(PolicyFlags const& flags, Session& session);

}  // namespace cli
