// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy_evaluation.hpp"
#include "stages.hpp"
#include "trainers.hpp"

#include <string>
#include <vector>

namespace cli {

/// The flags of a pipeline that goes from a base to an aligned policy. Each trainer's own stand behind its name, as a subcommand:
///   graft rlhf --model … --data … --output … sft --max-steps 100 reward --epochs 2 ppo --kl-target 6
struct AlignmentFlags {
  AlignmentFlags();
  ModelFlags model;
  std::string data, eval_data, retain_data, output, method = "ppo", until;
  std::uint64_t seed = 42;
  SftFlags sft;
  RewardFlags reward;
  PpoFlags ppo;
  DpoFlags dpo;
};

/// `what`: the records of --data, for its help.
void add_alignment_flags(CLI::App& app, AlignmentFlags& flags, char const* what);

// The trainers as stages. Each starts where the one before ended, from OUTPUT/sft where that is there, and leaves OUTPUT/<its name>. Each returns
// false where the pipeline is to end.
bool sft_stage(AlignmentFlags const& flags, Session& session, Stages& stages, std::string const& data, std::string const& completion_field);
bool reward_stage(AlignmentFlags const& flags, Session& session, Stages& stages, std::string const& pairs);
/// PPO on the prompts of --data against OUTPUT/reward, or DPO on the pairs, as --method says.
bool policy_stage(AlignmentFlags const& flags, Session& session, Stages& stages, std::string const& pairs);

/// The base, SFT and every policy that is finished, evaluated on the held-out prompts. `judge`: a program to score answers by, or "": the
/// reward model.
[[nodiscard]] std::vector<PolicyEvaluation> evaluate_alignment(AlignmentFlags const& flags, Session& session, Stages& stages,
                                                               std::string const& pairs, std::string const& judge);

}  // namespace cli
