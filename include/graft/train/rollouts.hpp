// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/rollout.hpp>
#include <graft/model/generate.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace graft {

/// How completions are drawn. The log-probabilities that training works with are the policy's at the sampler's temperature; top-k,
/// top-p and min-p cut what is drawn but not what is learnt, as in TRL.
struct RolloutOptions {
  Index samples = 8;               ///< completions of each prompt
  GenerationOptions generation = {.max_new_tokens = 256, .sampling = {.greedy = false}};
};

/// Draws `samples` completions of each prompt. A prompt is computed once and its keys and values are copied for its samples. What
/// is drawn depends on the weights, the prompts and the sampler's seed only.
template <class Model>
[[nodiscard]] Rollout draw_rollout(Model& model, std::span<std::vector<std::int32_t> const> prompts, RolloutOptions const& options) {
  require(options.samples >= 1, "rollout", "samples must be at least 1: got ", options.samples);
  auto const samples = static_cast<std::size_t>(options.samples);
  std::vector<std::vector<std::int32_t>> repeated;
  for (auto const& prompt : prompts) repeated.insert(repeated.end(), samples, prompt);
  auto const generated = generate(model, repeated, options.generation);
  Rollout rollout;
  rollout.samples = options.samples;
  rollout.temperature = options.generation.sampling.temperature;
  for (std::size_t s = 0; s < generated.size(); ++s)
    rollout.add(repeated[s], generated[s].ids, generated[s].stopped, static_cast<Index>(s / samples));
  return rollout;
}

/// What a model says of each completion token of a rollout.
struct RolloutScores {
  std::vector<double> logprobs, entropies;  ///< (N); empty without the language head
  std::vector<double> values;               ///< (N); empty without the score head
};

/// One packed pass without gradient over the rollout, at its temperature, in batches of about `tokens` tokens. `pass` says which
/// heads and whether the adapter acts: without it the base answers, which is the reference of a policy that is an adapter.
template <class Model>
[[nodiscard]] RolloutScores score_rollout(Model& model, Rollout const& rollout, PassOptions pass = {}, Index tokens = 4096) {
  pass.gradient = pass.training = false;
  pass.temperature = rollout.temperature;
  std::vector<std::size_t> all(static_cast<std::size_t>(rollout.sequences()));
  std::iota(all.begin(), all.end(), std::size_t{0});
  RolloutScores scores;
  for (auto const part : cut_by_tokens(rollout, all, tokens)) {
    auto const batch = policy_batch(rollout, part);
    for (auto const& stats : model.forward(batch, pass)) {
      scores.logprobs.push_back(stats.target_logprob);
      scores.entropies.push_back(stats.entropy);
    }
    auto const values = model.scores();
    scores.values.insert(scores.values.end(), values.begin(), values.end());
  }
  return scores;
}

/// The reference is the base, with the policy's adapter off. A policy that goes on from an adapter, such as SFT's, is held to that
/// with a `ReferencePolicy` instead.
struct BaseReference {
  /// Calls f(adapters) while the policy's model is the reference.
  template <class F>
  void during(F&& f) const {
    f(false);
  }
};

/// Fills in the reference's log-probabilities of a rollout that the policy drew.
template <class Model, class KlReference>
void score_reference(Model& policy, Rollout& rollout, KlReference&& reference, Index tokens = 4096) {
  reference.during([&](bool adapters) { rollout.ref_logprobs = score_rollout(policy, rollout, {.adapters = adapters}, tokens).logprobs; });
}

/// The reward that a model with a score head gives each whole sequence: the score of its last token. (S)
template <class Model>
[[nodiscard]] std::vector<double> reward_model_scores(Model& model, Rollout const& rollout, Index tokens = 4096) {
  std::vector<std::size_t> all(static_cast<std::size_t>(rollout.sequences()));
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::vector<double> rewards;
  for (auto const part : cut_by_tokens(rollout, all, tokens)) {
    TokenBatch batch = policy_batch(rollout, part);
    batch.targets.clear();
    batch.weights.clear();
    batch.rows.clear();
    for (std::size_t s = 1; s < batch.cu_seqlens.size(); ++s) batch.rows.push_back(batch.cu_seqlens[s] - 1);
    (void)model.forward(batch, {.heads = Heads::score});
    auto const scores = model.scores();
    rewards.insert(rewards.end(), scores.begin(), scores.end());
  }
  return rewards;
}

}  // namespace graft
