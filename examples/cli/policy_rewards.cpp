// SPDX-License-Identifier: Apache-2.0
#include "policy_rewards.hpp"

#include <graft/data/reward_data.hpp>

#include <cmath>

namespace cli {

PolicyRewards::PolicyRewards(RolloutFlags const& flags, Session const& session)
    : session_(&session), tokens_per_batch_(flags.tokens_per_batch), weights_(flags.reward_weights) {
  auto const count = flags.rewards.size() + flags.reward_models.size();
  graft::require(count > 0, "reward", "needs a --reward or a --reward-model to learn from");
  graft::require(weights_.empty() || weights_.size() == count, "reward", "--reward-weights needs a factor for each of ", count,
                 " rewards: got ", weights_.size());
  weights_.resize(count, 1.0);
  for (auto const& name : flags.rewards) {
    programs_.push_back(graft::named_reward(name));
    names_.push_back("rewards/" + name);
  }
  for (auto const& directory : flags.reward_models) {
    models_.push_back(build_reward_model(session, directory));
    names_.push_back("rewards/" + directory);
  }
}

std::vector<double> PolicyRewards::operator()(graft::Rollout const& rollout, PolicyPrompts const& prompts, graft::Metrics* metrics) {
  std::vector<double> sum;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    std::vector<double> rewards;
    if (i < programs_.size()) {
      rewards = rewards_of(rollout, prompts, programs_[i], session_->tokenizer());
    } else {
      auto const& format = prompts.prompts.format;
      auto const ending = graft::answer_ending(session_->tokenizer(), format ? &*format : nullptr);
      rewards = graft::RewardModel<Model>{&models_[i - programs_.size()], ending, tokens_per_batch_}(rollout);
    }
    graft::add_rewards(sum, weights_[i], rewards);
    if (metrics != nullptr && weights_.size() > 1)
      for (double const reward : rewards)
        if (!std::isnan(reward)) metrics->add(names_[i], reward);
  }
  return sum;
}

}  // namespace cli
