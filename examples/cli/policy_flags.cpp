// SPDX-License-Identifier: Apache-2.0
#include "policy_flags.hpp"

namespace cli {

void add_policy_flags(CLI::App& app, PolicyFlags& flags, FlagGroups const& groups) {
  add_rollout_flags(app, flags, groups);
  auto& learning = flags.learning;
  auto* learn = groups.optimization;
  learn->add_option("--num-iterations", learning.num_iterations, "passes over a rollout")->check(CLI::PositiveNumber)->capture_default_str();
  learn->add_option("--num-mini-batches", learning.num_mini_batches, "optimizer steps of a pass")->check(CLI::PositiveNumber)->capture_default_str();
  learn->add_option("--epsilon", learning.loss.epsilon, "the ratio is clipped at 1 - epsilon and 1 + epsilon")->capture_default_str();
  learn->add_option("--epsilon-high", learning.loss.epsilon_high, "another bound above; 0: the same")->capture_default_str();
  learn->add_option("--entropy-coef", learning.loss.entropy_coef, "factor of the entropy bonus")->capture_default_str();
  learn->add_option("--beta", learning.kl.coefficient, "factor of the KL to the reference")->check(CLI::NonNegativeNumber)->capture_default_str();
  learn->add_option("--kl-target", learning.kl.target, "KL of a completion that beta is steered to; 0: beta stays")->capture_default_str();
  learn->add_option("--kl-horizon", learning.kl.horizon, "completions that 20 % more or less of beta take")->capture_default_str();
  learn->add_flag("--mask-truncated-completions", learning.mask_truncated_completions, "learn nothing from completions that were cut");
}

RunOptions policy_options(PolicyFlags const& flags) {
  RunOptions options = rollout_options(flags);
  auto const set = [&](char const* name, auto const& value) { set_option(options, name, value); };
  auto const& learning = flags.learning;
  set("mask-truncated-completions", learning.mask_truncated_completions);
  set("num-iterations", learning.num_iterations);
  set("num-mini-batches", learning.num_mini_batches);
  set("advantages", static_cast<int>(learning.advantages));
  set("scale-rewards", static_cast<int>(learning.scale_rewards));
  set("normalize-advantages", learning.normalize_advantages);
  set("loss-type", static_cast<int>(learning.loss.aggregation));
  set("importance-sampling-level", static_cast<int>(learning.loss.importance_level));
  set("epsilon", learning.loss.epsilon);
  set("epsilon-high", learning.loss.epsilon_high);
  set("delta", learning.loss.delta);
  set("entropy-coef", learning.loss.entropy_coef);
  set("kl-estimator", static_cast<int>(learning.loss.kl_estimator) * 3 + static_cast<int>(learning.reward_kl));
  set("beta", learning.kl.coefficient);
  set("kl-target", learning.kl.target);
  set("kl-horizon", learning.kl.horizon);
  set("gamma", learning.gae.gamma);
  set("lambda", learning.gae.lambda);
  set("vf-coef", learning.value_loss.coefficient);
  set("cliprange-value", learning.value_loss.clip_range);
  set("whiten-rewards", learning.whiten_rewards);
  set("shared-critic", flags.shared_critic);
  set("init-critic", flags.init_critic);
  return options;
}

}  // namespace cli
