// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "training_flags.hpp"

#include <graft/loss/preference/dpo.hpp>
#include <graft/loss/preference/objective_sum.hpp>

#include <string>
#include <vector>

namespace cli {

/// What a loss on pairs is made of, with the names and defaults of TRL's DPOTrainer.
struct ObjectiveFlags {
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
  bool ipo_of_means = true;  ///< ipo compares means over tokens, not sums
};

void add_objective_flags(CLI::Option_group& group, ObjectiveFlags& flags);

/// Those that decide what a run computes.
void add_objective_options(RunOptions& options, ObjectiveFlags const& flags);

/// The loss that the flags describe. Error: a name that is none, weights that do not fit the losses.
[[nodiscard]] graft::Dpo<graft::ObjectiveSum> loss_of(ObjectiveFlags const& flags, double beta);

}  // namespace cli
