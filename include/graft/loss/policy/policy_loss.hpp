// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/policy/kl.hpp>
#include <graft/loss/policy/policy_batch.hpp>
#include <graft/loss/token_weights.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace graft {

/// How the tokens' losses become one number, by TRL's names. S completions and N tokens of an optimizer step:
///   grpo     mean over completions of the mean over their tokens
///   bnpo     mean over the step's tokens
///   dapo     mean over the whole rollout's tokens, so that steps with longer completions weigh more (Yu et al. 2025)
///   dr_grpo  Σ over tokens / (S·max_completion_length): no favour for short answers (Liu et al. 2025)
enum class PolicyAggregation : std::uint8_t { grpo, bnpo, dapo, dr_grpo };

/// What a probability ratio is of: a token; a completion, as the geometric mean over its tokens (GSPO, Zheng et al. 2025); or
/// a completion as a whole, the product (RLOO).
enum class ImportanceLevel : std::uint8_t { token, sequence, sequence_product };

/// clip: PPO's pessimistic minimum. cispo: the ratio, at most epsilon_high, is a constant factor of A·log π (Chen et al. 2025).
enum class PolicyObjective : std::uint8_t { clip, cispo };

/// Sums over the tokens that count, for metrics: divided by `tokens` they are means.
struct PolicyStatistics {
  double tokens = 0, kl = 0, entropy = 0;
  double approx_kl = 0;  ///< Σ (log ratio)² / 2 against the policy that drew the tokens, as TRL's policy/approxkl_avg
  double ratio = 0, ratio_squared = 0;
  double clipped = 0;                       ///< the minimum took the clipped branch: policy/clipfrac_avg
  double clipped_low = 0, clipped_high = 0;  ///< beyond a bound that acts on that sign of A: clip_ratio/low_mean, …/high_mean
};

/// The loss of policy-gradient methods on tokens drawn by an older policy. With ratio ρ = exp(log π - log π_old) (of the level
/// chosen), advantage A, bounds ε and reference π_ref, a token costs
///   -min(min(ρ, δ)·A, clip(ρ, 1 - ε_low, 1 + ε_high)·A) + β·KL(π ‖ π_ref),
/// δ only where it is set (two-sided clip); from the aggregate of that the mean entropy of the tokens times entropy_coef is taken.
/// PPO, GRPO, RLOO and REINFORCE++ differ in A, in the level and in the aggregation only.
/// Sources: Schulman et al., "Proximal policy optimization algorithms", 2017, eq. 7; Shao et al. 2024, eq. 3; TRL 1.16,
/// `GRPOTrainer._compute_loss`, whose values these are.
/// Errors: [policy] for values out of range and arrays that do not fit the batch.
struct PolicyLoss {
  using Batch = PolicyBatch;

  PolicyAggregation aggregation = PolicyAggregation::dapo;
  ImportanceLevel importance_level = ImportanceLevel::token;
  PolicyObjective objective = PolicyObjective::clip;
  double epsilon = 0.2;         ///< ε_low
  double epsilon_high = 0;      ///< 0: as epsilon; DAPO took 0.28
  double delta = 0;             ///< δ > 1 + epsilon_high; 0: none
  double beta = 0;              ///< factor of the KL to the reference
  KlEstimator kl_estimator = KlEstimator::k3;
  double entropy_coef = 0;
  Index max_completion_length = 0;  ///< needed for dr_grpo
  double temperature = 1;           ///< the sampler's: π is the policy at it (see `Loss`)

  friend bool operator==(PolicyLoss const&, PolicyLoss const&) = default;

  [[nodiscard]] bool needs_entropy() const { return entropy_coef != 0; }

  void validate() const {
    auto const positive = [](double x) { return std::isfinite(x) && x >= 0; };
    require(positive(epsilon) && positive(epsilon_high) && (objective == PolicyObjective::cispo || epsilon < 1), "policy",
            "epsilon must be in [0, 1) and epsilon_high 0 or more: got ", epsilon, " and ", epsilon_high);
    require(delta == 0 || delta > 1 + upper(), "policy", "delta must be 0 or above 1 + epsilon_high: got ", delta);
    require(positive(beta), "policy", "beta must be 0 or more: got ", beta);
    require(std::isfinite(entropy_coef), "policy", "entropy_coef must be finite: got ", entropy_coef);
    require(aggregation != PolicyAggregation::dr_grpo || max_completion_length > 0, "policy",
            "dr_grpo divides by max_completion_length: it must be positive, got ", max_completion_length);
  }

  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    PolicyStatistics ignored;
    return evaluate(stats, batch, gradient, ignored);
  }

  /// The same, adding what metrics are made of to `seen`.
  LossReport evaluate(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient,
                      PolicyStatistics& seen) const {
    validate();
    check(stats, batch, gradient);
    LossReport report;
    double const step_tokens = std::max(1.0, batch.step_tokens > 0 ? batch.step_tokens : batch.total_weight());
    for (std::size_t s = 0; s + 1 < batch.completions.size(); ++s) {
      auto const begin = static_cast<std::size_t>(batch.completions[s]), end = static_cast<std::size_t>(batch.completions[s + 1]);
      double length = 0, log_ratio = 0;
      for (std::size_t t = begin; t < end; ++t) {
        length += weight(batch, t);
        log_ratio += weight(batch, t) * (stats[t].target_logprob - batch.old_logprobs[t]);
      }
      length = std::max(length, 1.0);
      double const share = token_share(batch, length, step_tokens);
      double const spread = importance_level == ImportanceLevel::sequence ? 1 / length : 1;
      double of_sequence = 0;  // d value / d log ratio of the completion
      for (std::size_t t = begin; t < end; ++t) {
        double const w = weight(batch, t), logprob = stats[t].target_logprob;
        gradient[t] = {};
        if (w == 0) continue;
        double const own = logprob - batch.old_logprobs[t];
        double const level = importance_level == ImportanceLevel::token ? own : spread * log_ratio;
        auto const [cost, slope, direct] = surrogate(level, logprob, batch.advantages[t], w, seen);
        report.value += share * w * cost;
        gradient[t].target_logprob = share * w * direct;
        if (importance_level == ImportanceLevel::token)
          gradient[t].target_logprob += share * w * slope;
        else
          of_sequence += share * w * slope;
        if (!batch.ref_logprobs.empty()) {
          seen.kl += w * kl_estimate(kl_estimator, logprob, batch.ref_logprobs[t]);
          report.value += share * w * beta * kl_estimate(kl_estimator, logprob, batch.ref_logprobs[t]);
          gradient[t].target_logprob += share * w * beta * kl_gradient(kl_estimator, logprob, batch.ref_logprobs[t]);
        }
        report.value -= entropy_coef * w * stats[t].entropy / step_tokens;
        gradient[t].entropy = -entropy_coef * w / step_tokens;
        report.negative_log_likelihood -= w * logprob;
        report.weight += w;
        seen.tokens += w;
        seen.entropy += w * stats[t].entropy;
        seen.approx_kl += w * own * own / 2;
      }
      if (importance_level != ImportanceLevel::token)
        for (std::size_t t = begin; t < end; ++t) gradient[t].target_logprob += of_sequence * spread * weight(batch, t);
    }
    return report;
  }

 private:
  [[nodiscard]] double upper() const { return epsilon_high > 0 ? epsilon_high : epsilon; }
  [[nodiscard]] static double weight(Batch const& batch, std::size_t t) {
    return batch.weights.empty() ? 1.0 : double{batch.weights[t]};
  }

  /// The factor of a token's loss in the value, for a completion of `length` tokens that count.
  [[nodiscard]] double token_share(Batch const& batch, double length, double step_tokens) const {
    double const sequences = batch.step_sequences > 0 ? batch.step_sequences : static_cast<double>(batch.sequences());
    switch (aggregation) {
      case PolicyAggregation::grpo: return 1 / (length * sequences);
      case PolicyAggregation::bnpo: return 1 / step_tokens;
      case PolicyAggregation::dapo: return 1 / std::max(1.0, batch.rollout_tokens > 0 ? batch.rollout_tokens : step_tokens);
      case PolicyAggregation::dr_grpo: return 1 / (sequences * static_cast<double>(max_completion_length));
    }
    return 0;
  }

  struct Surrogate {
    double cost;
    double slope;   ///< d cost / d log ratio
    double direct;  ///< d cost / d log π beside that
  };
  [[nodiscard]] Surrogate surrogate(double log_ratio, double logprob, double advantage, double w, PolicyStatistics& seen) const {
    double const ratio = std::exp(log_ratio), low = 1 - epsilon, high = 1 + upper();
    seen.ratio += w * ratio;
    seen.ratio_squared += w * ratio * ratio;
    if (objective == PolicyObjective::cispo) {
      double const factor = std::min(ratio, upper());
      bool const beyond = ratio > upper() && advantage > 0;
      seen.clipped += beyond ? w : 0;
      seen.clipped_high += beyond ? w : 0;
      return {-factor * advantage * logprob, 0, -factor * advantage};
    }
    double const capped = delta > 0 ? std::min(ratio, delta) : ratio;
    double const clipped = std::clamp(ratio, low, high);
    double const plain = capped * advantage, bounded = clipped * advantage;
    seen.clipped_low += capped < low && advantage < 0 ? w : 0;
    seen.clipped_high += capped > high && advantage > 0 ? w : 0;
    seen.clipped += bounded < plain ? w : 0;
    double const plain_slope = capped == ratio ? ratio * advantage : 0;
    double const bounded_slope = clipped == ratio ? ratio * advantage : 0;
    double const slope = plain < bounded ? plain_slope : bounded < plain ? bounded_slope : (plain_slope + bounded_slope) / 2;
    return {-std::min(plain, bounded), -slope, 0};
  }

  void check(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    auto const count = stats.size();
    require(static_cast<Index>(count) == batch.supervised() && gradient.size() == count, "policy",
            "statistics, gradient and batch must have the same number of supervised tokens: got ", count, ", ",
            gradient.size(), " and ", batch.supervised());
    require(!batch.completions.empty() && batch.completions.front() == 0 &&
                static_cast<std::size_t>(batch.completions.back()) == count &&
                std::is_sorted(batch.completions.begin(), batch.completions.end()),
            "policy", "completions must rise from 0 to the ", count, " supervised tokens");
    require(batch.old_logprobs.size() == count && batch.advantages.size() == count &&
                (batch.weights.empty() || batch.weights.size() == count),
            "policy", "old_logprobs, advantages and weights must be one for each of ", count, " tokens: got ",
            batch.old_logprobs.size(), ", ", batch.advantages.size(), " and ", batch.weights.size());
    require(batch.ref_logprobs.size() == count || (batch.ref_logprobs.empty() && beta == 0), "policy",
            "beta=", beta, " needs ref_logprobs, one for each of ", count, " tokens: got ", batch.ref_logprobs.size());
  }
};

}  // namespace graft
