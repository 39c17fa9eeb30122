// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy_prompts.hpp"
#include "rollout_flags.hpp"

#include <graft/loss/metrics.hpp>
#include <graft/train/reward_model.hpp>

#include <string>
#include <vector>

namespace cli {

/// What completions are worth to a run: the weighted sum of its programs and reward models. The models stand on the session's base.
class PolicyRewards {
 public:
  /// Errors: no reward at all; weights that are not one for each.
  PolicyRewards(RolloutFlags const& flags, Session const& session);

  /// The reward of every sequence of a rollout whose records are indices into `prompts`. The mean of each reward goes to `metrics`
  /// as rewards/<its name>, where there are several.
  [[nodiscard]] std::vector<double> operator()(graft::Rollout const& rollout, PolicyPrompts const& prompts, graft::Metrics* metrics = nullptr);

 private:
  Session const* session_;
  graft::Index tokens_per_batch_;
  std::vector<graft::Reward> programs_;
  std::vector<Model> models_;
  std::vector<double> weights_;
  std::vector<std::string> names_;  // of the metrics, whose rows do not outlive this
};

}  // namespace cli
