// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/concept.hpp>
#include <graft/loss/preference/preference_batch.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace graft {

/// What the losses on pairs tell beside their value, with TRL's names.
inline constexpr std::array<std::string_view, 9> preference_metric_names{
    "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen",
    "logps/rejected", "logits/chosen",    "logits/rejected",    "entropy"};

/// The rewards of one pair: their means, how often the chosen one is higher, and by how much.
inline void add_reward_metrics(Metrics& metrics, double chosen, double rejected) {
  metrics.add("rewards/chosen", chosen);
  metrics.add("rewards/rejected", rejected);
  metrics.add("rewards/accuracies", chosen > rejected ? 1 : 0);
  metrics.add("rewards/margins", chosen - rejected);
}

/// Mean logit over vocabulary and predictions of chosen and of rejected answers, and the mean entropy of all predictions.
inline void add_token_metrics(Metrics& metrics, std::span<TokenStats const> stats, PreferenceBatch const& batch) {
  for (bool const chosen : {true, false})
    for (Index s = 0; s < batch.sequences(); ++s) {
      auto const at = static_cast<std::size_t>(s);
      if ((batch.preferred[at] == 1) != chosen) continue;
      for (auto n = static_cast<std::size_t>(batch.cu_predictions[at]); n < static_cast<std::size_t>(batch.cu_predictions[at + 1]); ++n)
        metrics.add(chosen ? "logits/chosen" : "logits/rejected", stats[n].mean_logit);
    }
  for (auto const& token : stats) metrics.add("entropy", token.entropy);
}

/// Refuses what does not fit together, for every loss in the same words; `tag` names the loss.
inline void check_preference_batch(std::string_view tag, std::span<TokenStats const> stats, PreferenceBatch const& batch,
                                   std::span<TokenStats> gradient) {
  auto const sequences = static_cast<std::size_t>(batch.sequences());
  require(stats.size() == batch.rows.size() && gradient.size() == stats.size(), tag,
          "statistics, gradient and batch must have the same number of supervised tokens: got ", stats.size(), " statistics, ",
          gradient.size(), " gradients and ", batch.rows.size(), " rows");
  require(batch.cu_predictions.size() == sequences + 1 && batch.cu_predictions.back() == batch.supervised(), tag,
          "cu_predictions must divide the ", batch.supervised(), " predictions among ", sequences, " sequences");
  require(batch.completion_tokens.size() == sequences && batch.preferred.size() == sequences, tag, "each of ", sequences,
          " sequences must have its number of completion tokens and its judgement: got ", batch.completion_tokens.size(), " and ",
          batch.preferred.size());
  require(batch.reference_logprobs.empty() || batch.reference_logprobs.size() == stats.size(), tag,
          "the reference must have a log-probability for each of ", stats.size(), " predictions: got ",
          batch.reference_logprobs.size());
}

}  // namespace graft
