// SPDX-License-Identifier: Apache-2.0
#include "memory_layout.hpp"
#include "policy_flags.hpp"
#include "rollout_run.hpp"

#include <optional>
#include <type_traits>

namespace cli {

/// Policy gradients: GRPO and its like, and PPO with a critic.
template <class Critic>
class PolicyGradientMethod final : public RolloutMethod {
 public:
  PolicyGradientMethod(PolicyFlags const& flags, Model& policy, graft::Trainable<float, Backend> const& trainable, PolicyReference& reference,
                       Critic const& critic)
      : policy_(&policy), trainable_(&trainable), reference_(&reference), critic_(critic), learning_(flags.learning) {
    learning_.seed = flags.seed;
    learning_.max_grad_norm = gradient_bound(flags);
    learning_.loss.max_completion_length = flags.rollout.generation.max_new_tokens;
    learning_.missing_eos_penalty = flags.missing_eos_penalty;
    learning_.tokens_per_batch = flags.tokens_per_batch;
    if constexpr (separate) critic_.model->set_dropout(flags.seed, 0);
  }

  [[nodiscard]] graft::Trainable<float, Backend> const& trainable() const override { return *trainable_; }

  void learn(graft::Rollout& rollout, Optimizer& optimizer, graft::Index iteration, graft::PolicyRow& row) override {
    graft::score_for_learning(*policy_, rollout, learning_, critic_, *reference_);
    graft::compute_advantages(rollout, learning_, row);
    graft::learn_from_rollout(*policy_, optimizer, row.learning_rate, rollout, learning_, iteration, critic_)
        .describe(!rollout.ref_logprobs.empty(), !rollout.values.empty(), row);
    learning_.kl.update(row.objective_kl, rollout.sequences());
  }

  void save(std::map<std::string, double>& values) const override {
    values["kl_coef"] = learning_.kl.coefficient;
    if constexpr (separate) values["critic_dropout_pass"] = static_cast<double>(critic_.model->pass());
  }
  void restore(std::map<std::string, double> const& values) override {
    learning_.kl.coefficient = values.at("kl_coef");
    if constexpr (separate) critic_.model->set_dropout(learning_.seed, static_cast<std::uint64_t>(values.at("critic_dropout_pass")));
  }

 private:
  static constexpr bool separate = !std::is_same_v<Critic, graft::NoCritic> && !std::is_same_v<Critic, graft::SharedCritic>;

  Model* policy_;
  graft::Trainable<float, Backend> const* trainable_;
  PolicyReference* reference_;
  Critic critic_;
  graft::PolicyGradient learning_;
};

void run_policy(PolicyFlags const& flags, Session& session) {
  auto learning = flags.learning;
  learning.loss.max_completion_length = flags.rollout.generation.max_new_tokens;
  learning.validate();
  graft::require(flags.init_critic.empty() || !flags.shared_critic, "ppo", "--init-critic is for a critic of its own, not for --shared-critic");
  bool const critic = flags.learning.advantages == graft::AdvantageMethod::gae;
  PolicyReference reference = build_policy(flags, session);
  std::optional<Model> separate;
  if (critic && !flags.shared_critic) {
    separate.emplace(flags.init_critic.empty() ? build_model_of(session, adapter_of(flags), flags.init_adapter) : build_reward_model(session, flags.init_critic));
    if (!separate->score_head()) separate->add_score_head({.seed = flags.seed});
    separate->set_recompute(recompute_of(flags));
    page_activations(flags, *separate);
  }
  if (critic && flags.shared_critic) session.model->add_score_head({.seed = flags.seed});
  auto const trainable = separate ? graft::joint_trainable(*session.model, *separate) : session.model->trainable();
  auto const run = [&](auto const& judge) {
    PolicyGradientMethod method(flags, *session.model, trainable, reference, judge);
    run_rollouts(flags, policy_options(flags), session, method);
  };
  if (separate)
    run(graft::SeparateCritic<Model>{&*separate});
  else if (critic)
    run(graft::SharedCritic{});
  else
    run(graft::NoCritic{});
}

}  // namespace cli
