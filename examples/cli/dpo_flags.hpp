// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "training_flags.hpp"

#include <graft/loss/preference/objective_sum.hpp>
#include <graft/loss/preference/dpo.hpp>

#include <string>
#include <vector>

namespace cli {

/// What `graft dpo` has beside every trainer's flags, with TRL's names and defaults.
struct DpoFlags : TrainingFlags {
  DpoFlags() {
    learning_rate = 1e-6;
    max_length = 1024;
  }
  std::vector<std::string> loss{"sigmoid"};
  std::vector<double> loss_weights;
  double beta = 0.1;
  double label_smoothing = 0;
  std::string f_divergence = "reverse_kl";
  double f_alpha = 0.5;
  double ld_alpha = 1;
  double rpo_alpha = 0;
  double discopop_tau = 0.05;
  double simpo_gamma = 0.5;
  double cpo_alpha = 1;
  bool reference_free = false;
  std::string reference = "initial";
  bool precompute_ref_log_probs = false;
  std::string truncation_mode = "keep_start";
};

void add_dpo_flags(CLI::App& app, DpoFlags& flags);

/// Those that decide what a run computes.
void add_dpo_options(RunOptions& options, DpoFlags const& flags);

/// The loss that the flags describe. Error: a name that is none, weights that do not fit the losses.
[[nodiscard]] graft::Dpo<graft::ObjectiveSum> loss_of(DpoFlags const& flags);

}  // namespace cli
