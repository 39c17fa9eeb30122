// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/metrics.hpp>
#include <graft/loss/token_batch.hpp>

#include <concepts>
#include <span>
#include <type_traits>

namespace graft {

/// The numbers that every objective here is a function of, for one supervised token with logits l (V) and target y:
///   logsumexp = log Σ exp l,  target_logprob = l_y - logsumexp,  mean_logit = Σ l / V,  entropy = -Σ p log p,
///   log_sum_sq_probs = log Σ p², the log of what a token drawn from p has on the mean; NaN from a head that was not asked for it.
/// The same struct carries a loss's gradient with respect to them. The head turns it into d loss/d l:
///   g_target·(onehot_y - p) + g_logsumexp·p + g_mean/V - g_entropy·p·(log p + entropy).
/// Σ p² only weighs: nothing is propagated through it.
struct TokenStats {
  double target_logprob = 0;
  double logsumexp = 0;
  double mean_logit = 0;
  double entropy = 0;
  double log_sum_sq_probs = 0;
};

/// What a loss says of one batch. `value` is what the gradient belongs to: a sum over tokens, divided by the normalizer.
struct LossReport {
  double value = 0;
  double negative_log_likelihood = 0;  ///< Σ -target_logprob·weight, not divided
  double weight = 0;                   ///< Σ weights: divides the line above to a mean
  Metrics metrics{};                   ///< what else the loss has to tell; most have nothing

  /// The parts of one step add up.
  LossReport& operator+=(LossReport const& part) {
    value += part.value;
    negative_log_likelihood += part.negative_log_likelihood;
    weight += part.weight;
    metrics += part.metrics;
    return *this;
  }
};

/// A loss is a plain aggregate with a batch type, callable as loss(stats, batch, gradient):
///   stats (N), read;  batch, the labels, weights, advantages … that belong to it;
///   gradient (N), written whole: d value / d stats.
/// It needs no model, no backend and no vocabulary. `needs_entropy`, if it is there and true – a constant, or a member function
/// where the values decide – asks the head to provide for a gradient with respect to the entropy; a member function
/// `needs_sum_sq_probs()` that is true asks for log Σ p²; a member `temperature` asks for the statistics of the logits divided by it.
template <class L>
concept Loss = std::is_aggregate_v<L> && requires { typename L::Batch; } &&
               std::derived_from<typename L::Batch, TokenBatch> &&
               requires(L const& loss, std::span<TokenStats const> stats, typename L::Batch const& batch,
                        std::span<TokenStats> gradient) {
                 { loss(stats, batch, gradient) } -> std::same_as<LossReport>;
               };

}  // namespace graft
