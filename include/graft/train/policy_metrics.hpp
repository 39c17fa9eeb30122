// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/data/rollout.hpp>
#include <graft/loss/metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <vector>

namespace graft {

/// What one iteration (a rollout and the optimizer steps on it) is recorded as, by TRL's names where it has one. Means over
/// a rollout's tokens or completions; a number that a method does not have is NaN, in files null.
struct PolicyRow {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  Index step = 0;  ///< iterations done, this one included: from 1
  double loss = 0, grad_norm = 0, learning_rate = 0;
  double reward = none, reward_std = none, frac_reward_zero_std = none;
  double objective_kl = none;          ///< Σ over a completion of log π - log π_ref, mean over completions
  double objective_entropy = none;     ///< Σ over a completion of the tokens' entropies, mean over completions
  double non_score_reward = none;      ///< -coefficient·KL of a completion, where the KL is in the reward
  double rlhf_reward = none;           ///< score and that together
  double kl_coef = none;
  double kl = none, entropy = none;    ///< a token, seen while learning; kl by the loss's estimator
  double approxkl = none, clipfrac = none, clip_low = none, clip_high = none, ratio = none, ratio_var = none;
  double policy_loss = none, value_loss = none, value_clipfrac = none;
  double mean_length = none, min_length = none, max_length = none, clipped_ratio = none, repetition = none;
  double judge = none;                 ///< reward of a held-out judge on the same completions
  double prompt_tokens = 0, completion_tokens = 0;
  double generation_seconds = 0, seconds = 0;
  Metrics metrics{};  ///< of rewards, by their names

  template <class Row, class F>
  static void visit(Row& row, F&& f) {
    f("step", row.step);
    f("loss", row.loss);
    f("grad_norm", row.grad_norm);
    f("learning_rate", row.learning_rate);
    f("reward", row.reward);
    f("reward_std", row.reward_std);
    f("frac_reward_zero_std", row.frac_reward_zero_std);
    f("objective/kl", row.objective_kl);
    f("objective/entropy", row.objective_entropy);
    f("objective/non_score_reward", row.non_score_reward);
    f("objective/rlhf_reward", row.rlhf_reward);
    f("kl_coef", row.kl_coef);
    f("kl", row.kl);
    f("entropy", row.entropy);
    f("policy/approxkl_avg", row.approxkl);
    f("policy/clipfrac_avg", row.clipfrac);
    f("clip_ratio/low_mean", row.clip_low);
    f("clip_ratio/high_mean", row.clip_high);
    f("val/ratio", row.ratio);
    f("val/ratio_var", row.ratio_var);
    f("loss/policy_avg", row.policy_loss);
    f("loss/value_avg", row.value_loss);
    f("val/clipfrac_avg", row.value_clipfrac);
    f("completions/mean_length", row.mean_length);
    f("completions/min_length", row.min_length);
    f("completions/max_length", row.max_length);
    f("completions/clipped_ratio", row.clipped_ratio);
    f("completions/repetition", row.repetition);
    f("judge_reward", row.judge);
    f("prompt_tokens", row.prompt_tokens);
    f("completion_tokens", row.completion_tokens);
    f("generation_seconds", row.generation_seconds);
    f("seconds", row.seconds);
  }
};

/// The share of a text's n-grams that stood in it before: 0 where none repeats, near 1 in a loop; 0 for texts of fewer than n + 1 tokens.
[[nodiscard]] inline double repeated_ngrams(std::span<std::int32_t const> ids, std::size_t n = 4) {
  if (ids.size() <= n) return 0;
  std::set<std::vector<std::int32_t>> seen;
  std::size_t const count = ids.size() - n + 1;
  for (std::size_t i = 0; i < count; ++i) seen.emplace(ids.begin() + static_cast<Index>(i), ids.begin() + static_cast<Index>(i + n));
  return 1 - static_cast<double>(seen.size()) / static_cast<double>(count);
}

/// Fills in what can be said of the completions and rewards alone.
inline void describe_rollout(Rollout const& rollout, PolicyRow& row) {
  auto const count = static_cast<double>(rollout.sequences());
  row.mean_length = row.clipped_ratio = row.repetition = row.max_length = 0;
  row.min_length = std::numeric_limits<double>::infinity();
  for (std::size_t s = 0; s < static_cast<std::size_t>(rollout.sequences()); ++s) {
    auto const length = static_cast<double>(rollout.completion_length(s));
    row.mean_length += length / count;
    row.min_length = std::min(row.min_length, length);
    row.max_length = std::max(row.max_length, length);
    row.clipped_ratio += (rollout.finished[s] != 0 ? 0 : 1) / count;
    row.repetition += repeated_ngrams(rollout.completion(s)) / count;
  }
  row.completion_tokens = static_cast<double>(rollout.completion_tokens());
  row.prompt_tokens = static_cast<double>(rollout.tokens()) - row.completion_tokens;
}

/// Fills in the KL to the reference and the policy's entropy, of a completion, where the rollout has them.
inline void describe_scores(Rollout const& rollout, PolicyRow& row) {
  auto const of_completion = [&](double sum) { return sum / static_cast<double>(rollout.sequences()); };
  if (!rollout.logprobs.empty() && !rollout.ref_logprobs.empty())
    row.objective_kl = of_completion(std::transform_reduce(rollout.logprobs.begin(), rollout.logprobs.end(), rollout.ref_logprobs.begin(),
                                                           0.0, std::plus<>(), std::minus<>()));
  if (!rollout.entropies.empty()) row.objective_entropy = of_completion(std::accumulate(rollout.entropies.begin(), rollout.entropies.end(), 0.0));
}

}  // namespace graft
