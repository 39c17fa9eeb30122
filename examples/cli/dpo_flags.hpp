// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "preference_flags.hpp"

#include <graft/loss/preference/objective_sum.hpp>
#include <graft/loss/preference/dpo.hpp>

#include <string>
#include <vector>

namespace cli {

/// What `graft dpo` has beside the flags of every trainer on judged answers, with TRL's names and defaults.
struct DpoFlags : PreferenceFlags {
  std::vector<std::string> loss{"sigmoid"};
  std::vector<double> loss_weights;
  double label_smoothing = 0;
  std::string f_divergence = "reverse_kl";
  double f_alpha = 0.5;
  double ld_alpha = 1;
  double rpo_alpha = 0;
  double discopop_tau = 0.05;
  double simpo_gamma = 0.5;
  double cpo_alpha = 1;
  bool reference_free = false;
  bool use_weighting = false;
  std::string truncation_mode = "keep_start";
  bool no_shared_prompts = false;
};

void add_dpo_flags(CLI::App& app, DpoFlags& flags);

/// Those that decide what a run computes.
void add_dpo_options(RunOptions& options, DpoFlags const& flags);

/// The loss that the flags describe. Error: a name that is none, weights that do not fit the losses.
[[nodiscard]] graft::Dpo<graft::ObjectiveSum> loss_of(DpoFlags const& flags);

}  // namespace cli
