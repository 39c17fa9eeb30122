// SPDX-License-Identifier: Apache-2.0
// graft online-dpo: draws several answers to each prompt and learns from the best and the worst of them by a loss on pairs.
#include "commands.hpp"
#include "objective_flags.hpp"
#include "rollout_run.hpp"

#include <graft/train/online_dpo.hpp>

#include <memory>

namespace cli {

/// The flags of `graft online-dpo`; those of the loss as TRL's OnlineDPOTrainer has them, whose ipo is one of sums.
struct OnlineDpoFlags : RolloutFlags, ObjectiveFlags {
  OnlineDpoFlags() {
    learning_rate = 5e-7;
    batch_size = 8;
    rollout.samples = 2;
    rollout.generation.max_new_tokens = 64;
    rollout.generation.sampling.temperature = 0.9;
    ipo_of_means = false;
  }
  double beta = 0.1;
};

class OnlineDpoMethod final : public RolloutMethod {
 public:
  OnlineDpoMethod(OnlineDpoFlags const& flags, Model& policy, PolicyReference& reference)
      : policy_(&policy),
        reference_(&reference),
        loss_(loss_of(flags, flags.beta)),
        spec_{.missing_eos_penalty = flags.missing_eos_penalty,
              .tokens_per_batch = flags.tokens_per_batch,
              .max_grad_norm = gradient_bound(flags)} {}

  [[nodiscard]] graft::Trainable<float, Backend> const& trainable() const override { return policy_->trainable(); }

  void learn(graft::Rollout& rollout, Optimizer& optimizer, graft::Index, graft::PolicyRow& row) override {
    graft::score_for_pairs(*policy_, rollout, spec_, *reference_);
    auto const pairs = graft::preferred_pairs(rollout, spec_.missing_eos_penalty);
    auto const report = graft::learn_from_pairs(*policy_, optimizer, row.learning_rate, rollout, pairs, loss_, spec_);
    graft::describe_pairs(rollout, pairs, loss_.beta, spec_, report, row);
  }

 private:
  Model* policy_;
  PolicyReference* reference_;
  graft::Dpo<graft::ObjectiveSum> loss_;
  graft::OnlineDpo spec_;
};

void add_online_dpo(CLI::App& app) {
  auto const flags = std::make_shared<OnlineDpoFlags>();
  auto* command = app.add_subcommand("online-dpo", "learn from rewards by DPO's losses on pairs of drawn answers");
  auto const groups = add_training_flags(*command, *flags);
  add_rollout_flags(*command, *flags, groups);
  auto* loss = command->add_option_group("preferences");
  loss->add_option("--beta", flags->beta, "how closely the policy is held to the reference")->capture_default_str();
  add_objective_flags(*loss, *flags);
  command->callback([flags] {
    graft::require(flags->rollout.samples >= 2, "online_dpo", "--num-generations must be at least 2, to choose from: got ", flags->rollout.samples);
    Session session = open_run_session(flags->model, flags->output, flags->resume);
    RunOptions options = rollout_options(*flags);
    set_option(options, "beta", flags->beta);
    add_objective_options(options, *flags);
    PolicyReference reference = build_policy(*flags, session);
    OnlineDpoMethod method(*flags, *session.model, reference);
    run_rollouts(*flags, options, session, method);
  });
}

}  // namespace cli
