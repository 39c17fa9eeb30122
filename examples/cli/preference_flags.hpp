// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "training_flags.hpp"

#include <string>

namespace cli {

/// What the trainers on judged answers share, with TRL's names and defaults.
struct PreferenceFlags : TrainingFlags {
  PreferenceFlags() {
    learning_rate = 1e-6;
    max_length = 1024;
  }
  double beta = 0.1;
  std::string reference = "initial";
  bool precompute_ref_log_probs = false;
};

inline void add_preference_flags(CLI::Option_group& group, PreferenceFlags& flags) {
  group.add_option("--beta", flags.beta, "how closely the policy is held to the reference")->capture_default_str();
  group.add_option("--reference", flags.reference, "initial: the policy as it begins; base: the model without adapter")
      ->check(CLI::IsMember({"initial", "base"}))->capture_default_str();
  group.add_flag("--precompute-ref-log-probs", flags.precompute_ref_log_probs,
                 "ask the reference about all records first, and keep its answers in OUTPUT/reference.safetensors");
}

/// Those that decide what a run computes.
inline void add_preference_options(RunOptions& options, PreferenceFlags const& flags) {
  set_option(options, "beta", flags.beta);
  set_option(options, "reference", flags.reference);
  set_option(options, "precompute-ref-log-probs", flags.precompute_ref_log_probs);
}

}  // namespace cli
