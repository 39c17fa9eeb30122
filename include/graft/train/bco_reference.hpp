// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/preference/unpaired_batch.hpp>
#include <graft/train/callback.hpp>
#include <graft/train/reference_policy.hpp>
#include <graft/train/trainer_state.hpp>

#include <span>

namespace graft {

/// The rewards of all answers that a run has learnt from, as BCO's δ needs them: a callback that reads them from what the loss tells
/// of each step. A checkpoint carries them.
class RewardHistory {
 public:
  Flow on_step_end(StepContext const& context) {
    for (auto const& metric : context.metrics)
      if (metric.name == "rewards/chosen" || metric.name == "rewards/rejected") {
        sum_ += metric.sum;
        answers_ += metric.weight;
      }
    return Flow::proceed;
  }
  [[nodiscard]] double sum() const { return sum_; }
  [[nodiscard]] double answers() const { return answers_; }

  void store(TrainerState& state) const {
    state.values["bco_past_reward"] = sum_;
    state.values["bco_past_answers"] = answers_;
  }
  /// Error: the state is of a run that kept no such history.
  void restore(TrainerState const& state) {
    auto const value = [&](char const* key) {
      auto const at = state.values.find(key);
      require(at != state.values.end(), "bco", "the checkpoint lacks ", key);
      return at->second;
    };
    sum_ = value("bco_past_reward");
    answers_ = value("bco_past_answers");
  }

 private:
  double sum_ = 0;
  double answers_ = 0;
};

static_assert(Callback<RewardHistory>);

/// Completes the batches of a step for BCO: the reference's log-probabilities, and the rewards of all earlier steps.
template <class Model>
class BcoReference {
 public:
  /// Both are held by reference.
  BcoReference(ReferencePolicy<Model>& reference, RewardHistory const& history) : reference_(&reference), history_(&history) {}

  void fill(std::span<UnpairedBatch> step) {
    reference_->fill(step);
    for (auto& batch : step) {
      batch.past_reward = history_->sum();
      batch.past_answers = history_->answers();
    }
  }

 private:
  ReferencePolicy<Model>* reference_;
  RewardHistory const* history_;
};

}  // namespace graft
