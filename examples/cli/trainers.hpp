// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dpo_flags.hpp"
#include "policy_flags.hpp"
#include "session.hpp"

#include <CLI/CLI.hpp>

#include <string>

namespace cli {

/// What `graft sft` has beside every trainer's flags.
struct SftFlags : TrainingFlags {
  double label_smoothing = 0;
  double z_loss = 0;
  bool last_turn_only = false;
  bool assistant_only_loss = true;
  bool completion_only_loss = true;
  bool packing = false;
  std::string truncation_mode = "keep_start";
  std::string completion_field = "completion";
};

/// What `graft reward` has beside every trainer's flags.
struct RewardFlags : TrainingFlags {
  RewardFlags() { learning_rate = 1e-4; }
  std::string loss = "bradley-terry";
  double center_rewards_coefficient = 0;
};

/// What `graft ppo` begins with.
struct PpoFlags : PolicyFlags {
  PpoFlags();
};

// The flags of a trainer (for `graft dpo`, see dpo_flags.hpp).
void add_sft_flags(CLI::App& app, SftFlags& flags);
void add_reward_flags(CLI::App& app, RewardFlags& flags);
void add_ppo_flags(CLI::App& app, PpoFlags& flags);

// A whole run of a trainer on a session whose files are open: it builds its models and writes --output. For policies, see
// policy_flags.hpp.
void run_sft(SftFlags const& flags, Session& session);
void run_reward(RewardFlags const& flags, Session& session);
void run_dpo(DpoFlags const& flags, Session& session);

}  // namespace cli
