// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/train/rollouts.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace graft {

/// Gives every sequence of a rollout its reward, (S); NaN where it cannot.
template <class R>
concept RolloutReward = requires(R& reward, Rollout const& rollout) {
  { reward(rollout) } -> std::same_as<std::vector<double>>;
};

/// A reward model, that is a model with a score head, as a reward of rollouts: the score of each sequence's last token, read where
/// it was trained to be read. `ending` is what stood behind an answer then (`answer_ending`): a completion that stopped gets what
/// is behind its stop token, one that was cut gets all of it. Built from the policy's `ModelFiles` it shares the resident base.
///   RewardModel const judge{&model, answer_ending(tokenizer, &format)};
///   rollout.rewards = judge(rollout);
template <class Model>
struct RewardModel {
  Model* model;
  std::vector<std::int32_t> ending = {};
  Index tokens_per_batch = 4096;  ///< tokens in memory at once; changes rounding only

  /// Errors: [reward] the model has no score head, or one of several scores.
  [[nodiscard]] std::vector<double> operator()(Rollout const& rollout) const {
    auto const head = model->score_head();
    require(head.has_value() && head->num_labels == 1, "reward", "a reward model has a score head of one score: this one has ",
            head ? head->num_labels : 0);
    return reward_model_scores(*model, ended(rollout), tokens_per_batch);
  }

  /// The rollout as the reward model reads it.
  [[nodiscard]] Rollout ended(Rollout const& rollout) const {
    Rollout result;
    result.temperature = rollout.temperature;
    for (std::size_t s = 0; s < static_cast<std::size_t>(rollout.sequences()); ++s) {
      auto const completion = rollout.completion(s);
      std::vector<std::int32_t> ids(completion.begin(), completion.end());
      bool const finished = rollout.finished[s] != 0;
      auto const stop = finished ? std::find(ending.begin(), ending.end(), ids.back()) : ending.end();
      if (finished && stop == ending.end() && !ending.empty()) ids.pop_back();  // another stop token, which no answer ended with
      ids.insert(ids.end(), stop == ending.end() ? ending.begin() : stop + 1, ending.end());
      result.add(rollout.prompt(s), ids, finished, rollout.records[s]);
    }
    return result;
  }
};

/// sum += weight · rewards. A reward that could not score a sequence (NaN) is left out; where none can, the sum stays NaN.
/// Error: [reward] the sizes differ.
inline void add_rewards(std::vector<double>& sum, double weight, std::span<double const> rewards) {
  if (sum.empty()) sum.assign(rewards.size(), std::numeric_limits<double>::quiet_NaN());
  require(sum.size() == rewards.size(), "reward", "needs a reward for each of ", sum.size(), " completions: got ", rewards.size());
  for (std::size_t s = 0; s < sum.size(); ++s)
    if (!std::isnan(rewards[s])) sum[s] = (std::isnan(sum[s]) ? 0 : sum[s]) + weight * rewards[s];
}

}  // namespace graft
