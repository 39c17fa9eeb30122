// SPDX-License-Identifier: Apache-2.0
// graft ppo: proximal policy optimization with a critic on the same resident base.
#include "commands.hpp"
#include "trainers.hpp"

#include <memory>

namespace cli {

PpoFlags::PpoFlags() {
  learning_rate = 1e-5;
  batch_size = 16;
  rollout.samples = 1;
  learning.advantages = graft::AdvantageMethod::gae;
  learning.loss.aggregation = graft::PolicyAggregation::bnpo;
  learning.kl.coefficient = 0.05;
  learning.num_iterations = 4;
}

void add_ppo_flags(CLI::App& app, PpoFlags& flags) {
  using graft::KlEstimator;
  auto& learning = flags.learning;
  auto const groups = add_training_flags(app, flags);
  add_policy_flags(app, flags, groups);
  auto* learn = groups.optimization;
  learn->add_option("--gamma", learning.gae.gamma, "discount of later rewards")->capture_default_str();
  learn->add_option("--lambda", learning.gae.lambda, "of generalised advantage estimation")->capture_default_str();
  learn->add_option("--vf-coef", learning.value_loss.coefficient, "factor of the critic's loss")->capture_default_str();
  learn->add_option("--cliprange-value", learning.value_loss.clip_range, "how far a value moves in the loss")->capture_default_str();
  learn->add_flag("--whiten-rewards", learning.whiten_rewards, "rewards of tokens to deviation 1; their mean stays");
  learn->add_flag("--shared-critic", flags.shared_critic, "the critic is a head on the policy's own pass, not an adapter of its own");
  learn->add_option("--init-critic", flags.init_critic, "PEFT directory of a reward model that the critic begins as");
  learn->add_option_function<std::string>("--kl-estimator", [&flags](std::string const& name) {
    flags.learning.reward_kl = name == "k1" ? KlEstimator::k1 : name == "k2" ? KlEstimator::k2 : KlEstimator::k3;
  }, "of the KL in the reward")->check(CLI::IsMember({"k1", "k2", "k3"}));
}

void add_ppo(CLI::App& app) {
  auto const flags = std::make_shared<PpoFlags>();
  auto* command = app.add_subcommand("ppo", "learn from rewards with a critic: PPO");
  add_ppo_flags(*command, *flags);
  command->callback([flags] {
    Session session = open_run_session(flags->model, flags->output, flags->resume);
    run_policy(*flags, session);
  });
}

}  // namespace cli
