// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/loss/policy/advantages.hpp>
#include <graft/loss/policy/gae.hpp>
#include <graft/loss/policy/policy_loss.hpp>
#include <graft/loss/policy/value_loss.hpp>
#include <graft/optim/clip.hpp>
#include <graft/train/policy_metrics.hpp>
#include <graft/train/rollouts.hpp>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <vector>

namespace graft {

/// What a completion is held against. grpo, rloo: the other samples of its prompt. gae: a critic, token by token (PPO).
/// reinforce_pp: nothing; its tokens' reward to come, whitened over the whole rollout; reinforce_pp_baseline takes the mean of its
/// prompt's samples from the score first (Hu et al., "REINFORCE++", 2025).
enum class AdvantageMethod : std::uint8_t { grpo, rloo, reinforce_pp, reinforce_pp_baseline, gae };

/// The hyper-parameters of learning from a rollout. GRPO, RLOO, REINFORCE++ and PPO are values of it.
struct PolicyGradient {
  AdvantageMethod advantages = AdvantageMethod::grpo;
  PolicyLoss loss = {};
  KlCoefficient kl = {.coefficient = 0};  ///< of the KL to the reference: in the loss with grpo, in the reward with the others
  KlEstimator reward_kl = KlEstimator::k1;
  ScaleRewards scale_rewards = ScaleRewards::group;  ///< grpo
  bool normalize_advantages = false;                 ///< rloo
  Gae gae = {};                                      ///< gae
  ValueLoss value_loss = {};                         ///< gae
  bool whiten_rewards = false;                       ///< gae; the mean stays
  bool whiten_advantages = true;                     ///< gae
  double missing_eos_penalty = 0;                    ///< taken from the reward of a completion that did not finish
  bool mask_truncated_completions = false;           ///< learn nothing from those
  Index num_iterations = 1;                          ///< passes over a rollout
  Index num_mini_batches = 1;                        ///< optimizer steps of a pass
  Index tokens_per_batch = 4096;                     ///< tokens in memory at once; changes rounding only
  double max_grad_norm = 1;
  std::uint64_t seed = 0;  ///< of the order within a rollout

  [[nodiscard]] bool kl_in_reward() const { return advantages != AdvantageMethod::grpo; }
  [[nodiscard]] bool one_step() const { return num_iterations == 1 && num_mini_batches == 1; }

  void validate() const {
    loss.validate();
    kl.validate();
    require(num_iterations >= 1 && num_mini_batches >= 1 && tokens_per_batch >= 1, "policy",
            "num_iterations, num_mini_batches and tokens_per_batch must be at least 1: got ", num_iterations, ", ", num_mini_batches,
            " and ", tokens_per_batch);
  }
};

/// No critic; a value head on the policy's own pass; a critic that is another adapter set on the same base.
struct NoCritic {};
struct SharedCritic {};
template <class Model>
struct SeparateCritic {
  Model* model;
};

/// Everything that policy and critic train, for one optimizer; the critic's names begin with "critic.".
template <class Model>
[[nodiscard]] auto joint_trainable(Model const& policy, Model const& critic) {
  auto joint = policy.trainable();
  for (auto param : critic.trainable().params) {
    param.name = "critic." + param.name;
    joint.params.push_back(std::move(param));
  }
  return joint;
}

/// Fills in log-probabilities of the policy and, where a KL is asked for, of the reference, and
/// the critic's values. Where a rollout is used for a single step its own pass yields the policy's, and none is made here.
template <class Model, class Critic = NoCritic, class KlReference = BaseReference>
void score_for_learning(Model& policy, Rollout& rollout, PolicyGradient const& spec, Critic const& critic = {}, KlReference&& reference = {}) {
  bool const shared = std::is_same_v<Critic, SharedCritic>;
  if (!spec.one_step() || spec.kl_in_reward() || spec.kl.target > 0) {
    auto scores = score_rollout(policy, rollout, {.heads = shared ? Heads::both : Heads::language}, spec.tokens_per_batch);
    rollout.logprobs = std::move(scores.logprobs);
    rollout.entropies = std::move(scores.entropies);
    if (shared) rollout.values = std::move(scores.values);
  }
  if (spec.kl.coefficient > 0 || spec.kl.target > 0)
    score_reference(policy, rollout, reference, spec.tokens_per_batch);
  if constexpr (!std::is_same_v<Critic, SharedCritic> && !std::is_same_v<Critic, NoCritic>)
    rollout.values = score_rollout(*critic.model, rollout, {.heads = Heads::score}, spec.tokens_per_batch).values;
}

/// From rewards to the advantage of every token (and, with a critic, its return), and what there is to say of them.
inline void compute_advantages(Rollout& rollout, PolicyGradient const& spec, PolicyRow& row) {
  auto const sequences = static_cast<std::size_t>(rollout.sequences());
  auto const tokens = static_cast<std::size_t>(rollout.completion_tokens());
  require(rollout.rewards.size() == sequences, "policy", "needs a reward for each of ", sequences, " completions: got ",
          rollout.rewards.size());
  describe_rollout(rollout, row);
  auto const scored = detail::scored_moments(rollout.rewards);
  row.reward = scored.count > 0 ? scored.mean : PolicyRow::none;
  row.reward_std = std::sqrt(scored.variance);
  row.kl_coef = spec.kl.coefficient;

  auto scores = rollout.scores(spec.missing_eos_penalty);
  std::vector<double> penalty(tokens, 0);
  auto const over_sequence = [&](std::vector<double> const& of_tokens, std::size_t s) {
    return std::accumulate(of_tokens.begin() + rollout.completions[s], of_tokens.begin() + rollout.completions[s + 1], 0.0);
  };
  describe_scores(rollout, row);
  if (spec.kl_in_reward() && !rollout.logprobs.empty() && !rollout.ref_logprobs.empty())
    for (std::size_t t = 0; t < tokens; ++t)
      penalty[t] = spec.kl.coefficient * kl_estimate(spec.reward_kl, rollout.logprobs[t], rollout.ref_logprobs[t]);
  if (spec.kl_in_reward()) {
    row.non_score_reward = -std::accumulate(penalty.begin(), penalty.end(), 0.0) / static_cast<double>(sequences);
    row.rlhf_reward = detail::scored_moments(scores).mean + row.non_score_reward;
  }

  rollout.mask.assign(tokens, 1);
  if (spec.mask_truncated_completions)
    for (std::size_t s = 0; s < sequences; ++s)
      if (rollout.finished[s] == 0) std::fill(rollout.mask.begin() + rollout.completions[s], rollout.mask.begin() + rollout.completions[s + 1], 0.0f);
  rollout.advantages.assign(tokens, 0);
  std::vector<double> of_sequence(sequences);
  auto const spread = [&] {
    for (std::size_t s = 0; s < sequences; ++s)
      std::fill(rollout.advantages.begin() + rollout.completions[s], rollout.advantages.begin() + rollout.completions[s + 1], of_sequence[s]);
  };
  switch (spec.advantages) {
    case AdvantageMethod::grpo:
      row.frac_reward_zero_std = grpo_advantages(scores, rollout.samples, spec.scale_rewards, of_sequence);
      return spread();
    case AdvantageMethod::rloo:
      for (std::size_t s = 0; s < sequences; ++s) scores[s] -= over_sequence(penalty, s);
      rloo_advantages(scores, rollout.samples, spec.normalize_advantages, of_sequence);
      return spread();
    case AdvantageMethod::reinforce_pp_baseline:
      grpo_advantages(scores, rollout.samples, ScaleRewards::none, of_sequence);
      scores = of_sequence;
      [[fallthrough]];
    case AdvantageMethod::reinforce_pp:
    case AdvantageMethod::gae: break;
  }
  bool const critic = spec.advantages == AdvantageMethod::gae;
  require(!critic || rollout.values.size() == tokens, "policy", "gae needs a critic's values, one for each of ", tokens, " tokens: got ",
          rollout.values.size());
  std::vector<double> rewards(tokens), returns(tokens);
  token_rewards(scores, penalty, rollout.completions, rewards);
  if (critic && spec.whiten_rewards) whiten(rewards, rollout.mask, false);
  Gae const gae = critic ? spec.gae : Gae{.gamma = 1, .lambda = 1};
  gae(rewards, critic ? std::span<double const>(rollout.values) : std::span<double const>{}, rollout.completions, rollout.advantages, returns);
  if (critic) rollout.returns = std::move(returns);
  if (!critic || spec.whiten_advantages) whiten(rollout.advantages, rollout.mask);
}

/// The micro-batches of each optimizer step of one pass over a rollout, in an order drawn from the seed and `pass`. A step's
/// batches know the step's sizes, so that their gradients add up to its own.
[[nodiscard]] inline std::vector<std::vector<PolicyBatch>> policy_steps(Rollout const& rollout, PolicyGradient const& spec, Index pass) {
  auto const sequences = static_cast<std::size_t>(rollout.sequences()), steps = static_cast<std::size_t>(spec.num_mini_batches);
  require(steps <= sequences, "policy", "a rollout of ", sequences, " completions cannot be cut into ", steps, " mini-batches");
  std::vector<std::size_t> order(sequences);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (!spec.one_step()) {
    Rng rng(spec.seed, static_cast<std::uint64_t>(pass));
    shuffle(order, rng);
  }
  double rollout_tokens = static_cast<double>(rollout.completion_tokens());
  if (!rollout.mask.empty()) rollout_tokens = std::accumulate(rollout.mask.begin(), rollout.mask.end(), 0.0);
  std::vector<std::vector<PolicyBatch>> result(steps);
  for (std::size_t i = 0; i < steps; ++i) {
    auto const chosen = std::span<std::size_t const>(order).subspan(i * sequences / steps, (i + 1) * sequences / steps - i * sequences / steps);
    double step_tokens = 0;
    for (auto const part : cut_by_tokens(rollout, chosen, spec.tokens_per_batch)) {
      result[i].push_back(policy_batch(rollout, part));
      step_tokens += result[i].back().total_weight();
    }
    for (auto& batch : result[i]) {
      batch.step_sequences = static_cast<double>(chosen.size());
      batch.step_tokens = step_tokens;
      batch.rollout_tokens = rollout_tokens / static_cast<double>(steps);
    }
  }
  return result;
}

/// Sums of what is seen while learning from one rollout.
struct PolicyReport {
  double policy_loss = 0, value_loss = 0, grad_norm = 0;
  Index steps = 0;
  PolicyStatistics seen;
  double value_tokens = 0, value_clipped = 0;

  /// As means, into a row.
  void describe(bool kl, bool critic, PolicyRow& row) const {
    double const n = std::max(1.0, seen.tokens), k = static_cast<double>(std::max<Index>(1, steps));
    row.policy_loss = policy_loss / k;
    row.loss = (policy_loss + value_loss) / k;
    row.grad_norm = grad_norm / k;
    if (kl) row.kl = seen.kl / n;
    if (kl && std::isnan(row.objective_kl)) row.objective_kl = row.kl * row.mean_length;
    row.entropy = seen.entropy / n;
    row.approxkl = seen.approx_kl / n;
    row.clipfrac = seen.clipped / n;
    row.clip_low = seen.clipped_low / n;
    row.clip_high = seen.clipped_high / n;
    row.ratio = seen.ratio / n;
    row.ratio_var = std::max(0.0, seen.ratio_squared / n - row.ratio * row.ratio);
    if (!critic) return;
    row.value_loss = value_loss / k;
    row.value_clipfrac = value_clipped / std::max(1.0, value_tokens);
  }
};

/// Adds the gradient of one micro-batch to what policy and critic hold.
template <class Model, class Critic = NoCritic>
void accumulate_policy_grad(Model& policy, PolicyLoss const& loss, PolicyGradient const& spec, PolicyBatch& batch, PolicyReport& report,
                            Critic const& critic = {}) {
  constexpr bool shared = std::is_same_v<Critic, SharedCritic>;
  PassOptions pass = PassOptions::step(shared ? Heads::both : Heads::language);
  pass.entropy_gradient = loss.needs_entropy();
  pass.temperature = loss.temperature;
  auto const stats = policy.forward(batch, pass);
  if (batch.old_logprobs.empty())  // the single step on its own rollout: the policy is the one that drew it
    for (auto const& s : stats) batch.old_logprobs.push_back(s.target_logprob);
  auto const gradient = policy.token_gradient();
  report.policy_loss += loss.evaluate(stats, batch, gradient, report.seen).value;
  auto const judge = [&](auto& model) {
    auto const slope = model.score_gradient();
    auto const value = spec.value_loss(model.scores(), batch, slope);
    report.value_loss += value.value;
    report.value_tokens += value.tokens;
    report.value_clipped += value.clipped;
    return slope;
  };
  if constexpr (shared) {
    policy.backward(gradient, judge(policy));
  } else {
    policy.backward(gradient);
    if constexpr (!std::is_same_v<Critic, NoCritic>) {
      (void)critic.model->forward(batch, PassOptions::step(Heads::score));
      critic.model->backward({}, judge(*critic.model));
    }
  }
}

/// Learns from a rollout that has advantages: num_iterations passes of num_mini_batches optimizer steps. `optimizer` steps
/// everything that policy and critic train. `iteration` numbers the rollouts, for the order. Throws before a gradient that is not
/// finite reaches a weight.
template <class Model, class O, class Critic = NoCritic>
PolicyReport learn_from_rollout(Model& policy, O& optimizer, double learning_rate, Rollout const& rollout, PolicyGradient const& spec,
                                Index iteration, Critic const& critic = {}) {
  spec.validate();
  PolicyLoss loss = spec.loss;
  loss.temperature = rollout.temperature;
  if (!spec.kl_in_reward()) loss.beta = spec.kl.coefficient;
  require(spec.one_step() || !rollout.logprobs.empty(), "policy", "several steps on one rollout need the log-probabilities of the policy "
          "that drew it: call score_for_learning first");
  PolicyReport report;
  for (Index pass = 0; pass < spec.num_iterations; ++pass)
    for (auto& step : policy_steps(rollout, spec, iteration * spec.num_iterations + pass)) {
      optimizer.zero_grad();
      for (auto& batch : step) accumulate_policy_grad(policy, loss, spec, batch, report, critic);
      double const norm = clip_grad_norm(optimizer.trainable(), spec.max_grad_norm);
      require(std::isfinite(report.policy_loss + report.value_loss) && std::isfinite(norm), "policy", "iteration ", iteration + 1,
              " has loss=", report.policy_loss + report.value_loss, " and gradient norm=", norm, "; try a lower learning rate");
      optimizer.step(learning_rate);
      report.grad_norm += norm;
      ++report.steps;
    }
  return report;
}

}  // namespace graft
