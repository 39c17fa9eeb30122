// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/preference_pair.hpp>
#include <graft/data/rollout.hpp>
#include <graft/loss/policy/advantages.hpp>
#include <graft/loss/preference/dpo.hpp>
#include <graft/optim/clip.hpp>
#include <graft/train/policy_metrics.hpp>
#include <graft/train/rollouts.hpp>
#include <graft/train/value_and_grad.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace graft {

/// Online DPO (Guo et al., "Direct language model alignment from online AI feedback", 2024): the policy answers each prompt several
/// times, a reward says which answer is better, and the pair is learnt by a loss on pairs. Another way to learn from a rollout:
/// draw_rollout with two samples or more, rewards into `rollout.rewards`, log-probabilities by score_for_pairs, then preferred_pairs,
/// learn_from_pairs and describe_pairs.
struct OnlineDpo {
  double missing_eos_penalty = 0;  ///< taken from the reward of a completion that did not finish
  Index tokens_per_batch = 4096;   ///< tokens in memory at once; changes rounding only
  double max_grad_norm = 1;
};

/// Two completions of one prompt, by their numbers in the rollout.
struct OnlinePair {
  std::size_t chosen = 0, rejected = 0;
  friend bool operator==(OnlinePair const&, OnlinePair const&) = default;
};

/// Fills in log-probabilities of policy and reference, and the policy's entropies: what pairs are learnt against, and what is told of
/// the rollout.
template <class Model, class KlReference = BaseReference>
void score_for_pairs(Model& policy, Rollout& rollout, OnlineDpo const& spec = {}, KlReference&& reference = {}) {
  auto scores = score_rollout(policy, rollout, {}, spec.tokens_per_batch);
  rollout.logprobs = std::move(scores.logprobs);
  rollout.entropies = std::move(scores.entropies);
  score_reference(policy, rollout, reference, spec.tokens_per_batch);
}

/// Of each prompt the completion with the highest reward and the one with the lowest, the first of equals. A prompt whose completions
/// are all worth the same has no pair; one that nothing could score (NaN) counts as not drawn.
/// Error: [online_dpo] fewer than two samples a prompt, rewards that are missing.
[[nodiscard]] inline std::vector<OnlinePair> preferred_pairs(Rollout const& rollout, double missing_eos_penalty = 0) {
  auto const samples = static_cast<std::size_t>(rollout.samples), sequences = static_cast<std::size_t>(rollout.sequences());
  require(samples >= 2, "online_dpo", "needs two samples or more of each prompt: got ", samples);
  require(rollout.rewards.size() == sequences, "online_dpo", "needs a reward for each of ", sequences, " completions: got ",
          rollout.rewards.size());
  auto const scores = rollout.scores(missing_eos_penalty);
  std::vector<OnlinePair> pairs;
  for (std::size_t first = 0; first < sequences; first += samples) {
    OnlinePair pair;
    double best = -std::numeric_limits<double>::infinity(), worst = std::numeric_limits<double>::infinity();
    for (std::size_t s = first; s < first + samples; ++s) {
      if (scores[s] > best) best = scores[s], pair.chosen = s;
      if (scores[s] < worst) worst = scores[s], pair.rejected = s;
    }
    if (best > worst) pairs.push_back(pair);
  }
  return pairs;
}

/// The pairs as a batch, each with its prompt once, and with the reference's log-probabilities where the rollout has them.
[[nodiscard]] inline PreferenceBatch preference_batch(Rollout const& rollout, std::span<OnlinePair const> pairs) {
  PreferenceBatch batch;
  auto const answer = [&](std::size_t s) {
    auto const begin = rollout.ids.begin() + rollout.cu_seqlens[s], end = rollout.ids.begin() + rollout.cu_seqlens[s + 1];
    return Example{{begin, end}, {{std::ssize(rollout.prompt(s)), end - begin}}, static_cast<Index>(s)};
  };
  for (auto const& [chosen, rejected] : pairs) {
    PreferencePair pair{answer(chosen), answer(rejected)};
    pair.shared = shareable(pair.chosen, pair.rejected);
    append_example(batch, pair);
    if (rollout.ref_logprobs.empty()) continue;
    for (std::size_t const s : {chosen, rejected})
      for (auto t = static_cast<std::size_t>(rollout.completions[s]); t < static_cast<std::size_t>(rollout.completions[s + 1]); ++t)
        batch.reference_logprobs.push_back(static_cast<float>(rollout.ref_logprobs[t]));
  }
  return batch;
}

/// Makes one optimizer step on the pairs of a rollout, at the temperature that it was drawn with; returns what the loss says. Without
/// pairs nothing is done. Throws before a gradient that is not finite reaches a weight.
template <class Model, class O, class Objective>
LossReport learn_from_pairs(Model& policy, O& optimizer, double learning_rate, Rollout const& rollout, std::span<OnlinePair const> pairs,
                            Dpo<Objective> const& loss, OnlineDpo const& spec = {}) {
  LossReport report;
  if (pairs.empty()) return report;
  PassOptions pass = step_options(loss);
  pass.temperature = rollout.temperature;
  auto const tokens = [&](OnlinePair const& pair) {
    return rollout.cu_seqlens[pair.chosen + 1] - rollout.cu_seqlens[pair.chosen] + rollout.completion_length(pair.rejected) + 1;
  };
  std::vector<PreferenceBatch> step;
  for (std::size_t begin = 0, end = 0; begin < pairs.size(); begin = end) {
    Index sum = 0;
    do sum += tokens(pairs[end++]);
    while (end < pairs.size() && sum + tokens(pairs[end]) <= spec.tokens_per_batch);
    step.push_back(preference_batch(rollout, pairs.subspan(begin, end - begin)));
    step.back().normalizer = static_cast<double>(pairs.size());
  }
  PreferenceBatch::share_step(step);
  optimizer.zero_grad();
  for (auto const& batch : step) report += accumulate_grad(policy, loss, batch, pass);
  double const norm = clip_grad_norm(optimizer.trainable(), spec.max_grad_norm);
  require(std::isfinite(report.value) && std::isfinite(norm), "online_dpo", "a step has loss=", report.value, " and gradient norm=", norm,
          "; try a lower learning rate");
  optimizer.step(learning_rate);
  report.metrics.add("grad_norm", norm);
  return report;
}

/// What there is to say of a rollout with its rewards and log-probabilities, and of what learn_from_pairs told, by the names of TRL's
/// OnlineDPOTrainer: columns of the row, and in its metrics objective/scores (rewards less the penalty), objective/scores_margin (best less
/// worst of a prompt, 0 where all are alike), val/contain_eos_token, beta and the loss's own. objective/entropy is of the distributions;
/// TRL's, the completions' -Σ log π, is an estimate of it.
inline void describe_pairs(Rollout const& rollout, std::span<OnlinePair const> pairs, double beta, OnlineDpo const& spec,
                           LossReport const& report, PolicyRow& row) {
  describe_rollout(rollout, row);
  describe_scores(rollout, row);
  auto const scored = detail::scored_moments(rollout.rewards);
  row.reward = scored.count > 0 ? scored.mean : PolicyRow::none;
  row.reward_std = std::sqrt(scored.variance);
  auto const scores = rollout.scores(spec.missing_eos_penalty);
  double const score = scored.count > 0 ? detail::scored_moments(scores).mean : PolicyRow::none;
  double const prompts = static_cast<double>(rollout.sequences() / rollout.samples);
  row.frac_reward_zero_std = 1 - static_cast<double>(pairs.size()) / prompts;
  row.non_score_reward = -beta * row.objective_kl;
  row.rlhf_reward = score + row.non_score_reward;
  row.entropy = row.objective_entropy * static_cast<double>(rollout.sequences()) / static_cast<double>(rollout.completion_tokens());
  row.loss = pairs.empty() ? PolicyRow::none : report.value;
  row.grad_norm = report.metrics["grad_norm"];

  row.metrics.add("objective/scores", score);
  row.metrics.add("objective/scores_margin", 0, prompts);
  for (auto const& [chosen, rejected] : pairs) row.metrics.add("objective/scores_margin", scores[chosen] - scores[rejected], 0);
  row.metrics.add("val/contain_eos_token", 1 - row.clipped_ratio);
  row.metrics.add("beta", beta);
  for (auto const name : preference_metric_names)
    if (name != "entropy") row.metrics.add(name, 0, 0);  // there, if only as null, where no pair was learnt
  for (auto const& metric : report.metrics)
    if (metric.name != "entropy" && metric.name != "grad_norm") row.metrics.add(metric.name, metric.sum, metric.weight);
}

}  // namespace graft
