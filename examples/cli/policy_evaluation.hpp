// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy_flags.hpp"
#include "policy_prompts.hpp"
#include "stages.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cli {

/// What the policies of a pipeline are compared by.
struct EvaluationFlags {
  ModelFlags model;
  std::string data;              ///< held-out prompts
  std::string retain_data;       ///< text that has nothing to do with them, or ""
  std::string reference;         ///< adapter that the KL is to, or "": the base
  std::vector<std::string> rewards, reward_models;
  graft::Index max_length = 1024, max_new_tokens = 64;
  std::uint64_t seed = 0;
};

/// A policy on held-out prompts. Rewards are of greedy answers, the KL of drawn ones.
struct PolicyEvaluation {
  std::string policy;
  graft::Index prompts = 0;
  double reward = 0, low = 0, high = 0;  ///< mean with its 95 % interval, bootstrapped
  double kl = 0;                         ///< Σ over an answer of log π - log π_ref, mean
  double nll = 0;                        ///< a token of the unrelated text; NaN without it
  double mean_length = 0;
  std::vector<std::string> answers = {};  ///< greedy, in the order of the prompts
  std::vector<double> rewards = {};       ///< of these
};

/// Evaluates the base with `adapter` ("": alone), and keeps the answers with their rewards in `answers`, a JSON line each.
[[nodiscard]] PolicyEvaluation evaluate_policy(std::string const& name, EvaluationFlags const& flags, Session& session, std::string const& adapter,
                                               std::filesystem::path const& answers);

/// Does that as the stage evaluate-<name>, and keeps it; reads it where it is done.
[[nodiscard]] PolicyEvaluation evaluate_in_stage(std::string const& name, EvaluationFlags const& flags, Session& session, std::string const& adapter,
                                                 Stages& stages);

/// A table of policies for people on standard output, and OUTPUT/report.json. The gain of a policy is the mean difference of
/// its rewards and those of `sft` to the same prompts (for `sft`: the first policy's), with a bootstrapped 95 % interval. Time and memory of a policy are those of its stage.
void report_policies(std::vector<PolicyEvaluation> const& policies, Stages const& stages);

}  // namespace cli
