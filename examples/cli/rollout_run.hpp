// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rollout_flags.hpp"
#include "training_setup.hpp"

#include <graft/data/rollout.hpp>
#include <graft/train/policy_metrics.hpp>

#include <map>
#include <string>

namespace cli {

/// How a command learns from rollouts.
class RolloutMethod {
 public:
  virtual ~RolloutMethod() = default;

  /// Everything that the optimizer steps.
  [[nodiscard]] virtual graft::Trainable<float, Backend> const& trainable() const = 0;
  /// Learns from a rollout with its rewards, at row.learning_rate, and says in `row` what there is to say. `iteration` counts from 0.
  virtual void learn(graft::Rollout& rollout, Optimizer& optimizer, graft::Index iteration, graft::PolicyRow& row) = 0;
  /// What a checkpoint keeps of it beside weights and optimizer: adds to `values`, and goes on from them.
  virtual void save(std::map<std::string, double>& values) const { (void)values; }
  virtual void restore(std::map<std::string, double> const& values) { (void)values; }
};

/// Makes --output and builds the policy that the flags describe as the session's model; returns its reference. Error: --method full.
[[nodiscard]] PolicyReference build_policy(RolloutFlags const& flags, Session& session);

/// A whole run: rollouts of the session's model, rewards, what `method` learns from them, metrics, guards, evaluation on held-out prompts,
/// checkpoints, and the adapter at the end. `options`: what a resumed run must share.
void run_rollouts(RolloutFlags const& flags, RunOptions options, Session& session, RolloutMethod& method);

}  // namespace cli
