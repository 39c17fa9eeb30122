// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/concept.hpp>
#include <graft/loss/preference/divergence.hpp>
#include <graft/loss/preference/dpo_sigmoid.hpp>
#include <graft/loss/preference/pair.hpp>
#include <graft/loss/preference/preference_batch.hpp>
#include <graft/loss/preference/preference_metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace graft {

/// Direct preference optimisation: an objective over pairs of answers, whose value is the mean over the pairs of the step.
///   Dpo<>{.beta = 0.1}                                           Rafailov et al. 2023
///   Dpo<ExoPair>{.beta = 0.1, .objective = {.label_smoothing = 1e-3}}
/// An answer is Σ log π over its predictions, its reference the same of π_ref, and its log-ratio r the difference; the score
/// s that most objectives compare is the divergence's. ld_alpha < 1 counts predictions beyond the length of the pair's
/// shorter answer by that factor (length-desensitised DPO, Liu et al. 2024, eq. 8), in policy and reference alike.
/// use_weighting multiplies a pair's loss by w⁺·w⁻ (WPO, Zhou et al. 2024, eq. 2 and section 3.2, sampled alignment; as TRL 1.16), with
///   w = exp(mean over the answer's predictions of (log p(target) - log Σ_v p_v²)),
/// a constant to the gradient: pairs that the policy itself could have written count more.
/// Metrics, with TRL's names: rewards/chosen, rewards/rejected (β·r; without a reference β·log π), rewards/accuracies,
/// rewards/margins, logps/chosen, logps/rejected, logits/chosen, logits/rejected, entropy.
/// Errors: [dpo] β not positive, ld_alpha outside [0, 1], sequences that are no pairs, a batch without the reference's
/// log-probabilities where the objective needs them, weights for an objective that compares the pairs of a micro-batch with one another.
template <class Objective = DpoSigmoid>
struct Dpo {
  static_assert(PreferenceObjective<Objective>, "an objective must be an aggregate, callable with a pair or with all pairs of a "
                                                "micro-batch – see docs/preference.md");
  using Batch = PreferenceBatch;

  double beta = 0.1;  ///< β
  Objective objective{};
  Divergence divergence{};
  double ld_alpha = 1;          ///< 1: lengths count as they are
  bool reference_free = false;  ///< the reference is the uniform one: r = log π
  bool use_weighting = false;   ///< WPO's weights

  friend bool operator==(Dpo const&, Dpo const&) = default;

  [[nodiscard]] bool needs_reference() const {
    if (reference_free) return false;
    if constexpr (requires { objective.needs_reference(); })
      return objective.needs_reference();
    else
      return uses_reference<Objective>();
  }

  [[nodiscard]] bool needs_sum_sq_probs() const { return use_weighting; }

  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    check(stats, batch, gradient);
    std::vector<AnswerPair> pairs(static_cast<std::size_t>(batch.pairs()));
    std::vector<PairSlope> slopes(pairs.size());
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      auto const chosen = static_cast<Index>(2 * p);
      pairs[p] = {answer(stats, batch, chosen), answer(stats, batch, chosen + 1)};
      if (use_weighting) pairs[p].weight = std::exp(log_weight(stats, batch, chosen) + log_weight(stats, batch, chosen + 1));
    }

    double own_tokens = 0;
    for (auto const& pair : pairs) own_tokens += pair.chosen.predictions;
    PairStep const step{beta, batch.normalizer > 0 ? batch.normalizer : static_cast<double>(pairs.size()),
                        batch.chosen_tokens > 0 ? batch.chosen_tokens : own_tokens};
    LossReport report{.value = sum_over_pairs(objective, step, pairs, slopes) / step.pairs};
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      write_gradient(batch, static_cast<Index>(2 * p), pairs[p].chosen, slopes[p].chosen, step.pairs, gradient);
      write_gradient(batch, static_cast<Index>(2 * p + 1), pairs[p].rejected, slopes[p].rejected, step.pairs, gradient);
      report.negative_log_likelihood -= pairs[p].chosen.plain_logp;
      report.weight += pairs[p].chosen.predictions;
      add_reward_metrics(report.metrics, beta * pairs[p].chosen.logratio(), beta * pairs[p].rejected.logratio());
      report.metrics.add("logps/chosen", pairs[p].chosen.logp);
      report.metrics.add("logps/rejected", pairs[p].rejected.logp);
    }
    add_token_metrics(report.metrics, stats, batch);
    return report;
  }

 private:
  void check(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    require(std::isfinite(beta) && beta > 0, "dpo", "beta must be positive: got ", beta);
    require(ld_alpha >= 0 && ld_alpha <= 1, "dpo", "ld_alpha must be in [0, 1]: got ", ld_alpha);
    check_preference_batch("dpo", stats, batch, gradient);
    require(batch.sequences() % 2 == 0, "dpo", "sequences must come in pairs, chosen and rejected: got ", batch.sequences());
    for (std::size_t s = 0; s < batch.preferred.size(); ++s)
      require(batch.preferred[s] == (s % 2 == 0 ? 1 : 0), "dpo", "sequence ", s, " must be the ", s % 2 == 0 ? "chosen" : "rejected",
              " answer of its pair");
    require(!needs_reference() || !batch.reference_logprobs.empty(), "dpo",
            "the batch has no log-probabilities of the reference: take it through WithReference (docs/preference.md), or set "
            "reference_free");
    require(!use_weighting || weighs_pairs(objective), "dpo", "use_weighting gives each pair a weight, but this objective sorts the "
            "answers of a micro-batch or otherwise compares its pairs with one another");
  }

  /// The factor of prediction n of sequence s.
  [[nodiscard]] double length_factor(Batch const& batch, Index s, Index n) const {
    if (ld_alpha == 1) return 1;
    return n < std::min(batch.predictions(s), batch.predictions(s ^ 1)) ? 1 : ld_alpha;
  }

  [[nodiscard]] Answer answer(std::span<TokenStats const> stats, Batch const& batch, Index s) const {
    auto const begin = static_cast<std::size_t>(batch.cu_predictions[static_cast<std::size_t>(s)]);
    Answer answer{.predictions = static_cast<double>(batch.predictions(s)),
                  .tokens = static_cast<double>(batch.completion_tokens[static_cast<std::size_t>(s)])};
    bool const reference = !reference_free && !batch.reference_logprobs.empty();  // rewards show it where the value does not need it
    for (Index n = 0; n < batch.predictions(s); ++n) {
      auto const at = begin + static_cast<std::size_t>(n);
      double const factor = length_factor(batch, s, n);
      answer.logp += factor * stats[at].target_logprob;
      answer.plain_logp += stats[at].target_logprob;
      if (reference) answer.reference_logp += factor * double{batch.reference_logprobs[at]};
    }
    answer.score = divergence.score(answer.logratio());
    return answer;
  }

  /// log w of WPO.
  [[nodiscard]] static double log_weight(std::span<TokenStats const> stats, Batch const& batch, Index s) {
    auto const begin = static_cast<std::size_t>(batch.cu_predictions[static_cast<std::size_t>(s)]);
    auto const count = static_cast<std::size_t>(batch.predictions(s));
    double sum = 0;
    for (auto const& token : stats.subspan(begin, count)) sum += token.target_logprob - token.log_sum_sq_probs;
    return sum / static_cast<double>(std::max(count, std::size_t{1}));
  }

  void write_gradient(Batch const& batch, Index s, Answer const& answer, AnswerSlope const& slope, double pairs,
                      std::span<TokenStats> gradient) const {
    auto const begin = static_cast<std::size_t>(batch.cu_predictions[static_cast<std::size_t>(s)]);
    double const d = slope.logp + slope.score * divergence.slope(answer.logratio());
    for (Index n = 0; n < batch.predictions(s); ++n)
      gradient[begin + static_cast<std::size_t>(n)] = {.target_logprob = (d * length_factor(batch, s, n) + slope.plain_logp) / pairs};
  }
};

static_assert(Loss<Dpo<>>);

}  // namespace graft
