// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "objective_flags.hpp"
#include "preference_flags.hpp"

#include <string>

namespace cli {

/// What `graft dpo` has beside the flags of every trainer on judged answers, with TRL's names and defaults.
struct DpoFlags : PreferenceFlags, ObjectiveFlags {
  std::string truncation_mode = "keep_start";
  bool no_shared_prompts = false;
};

void add_dpo_flags(CLI::App& app, DpoFlags& flags);

/// Those that decide what a run computes.
void add_dpo_options(RunOptions& options, DpoFlags const& flags);

}  // namespace cli
