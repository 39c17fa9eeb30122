// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/concept.hpp>
#include <graft/loss/preference/preference_metrics.hpp>
#include <graft/loss/preference/unpaired_batch.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace graft {

/// What one answer costs, and the slope of that in its log π.
struct AnswerCost {
  double value = 0;
  double slope = 0;
};

/// What every loss on single answers has in common: the mean over a step's answers of what each costs, its gradient, and the
/// metrics rewards/chosen, rewards/rejected (β·r), rewards/margins (of their means), logps/*, logits/*, entropy.
/// With r = log π - log π_ref of each answer, `prepare(ratios, metrics)` sees all of a micro-batch, adds metrics of its own and
/// returns the function cost(ratio, desirable) → AnswerCost.
/// Errors, under `tag`: β not positive, a batch that does not fit together or lacks the reference's log-probabilities.
template <class Prepare>
[[nodiscard]] LossReport mean_over_answers(std::string_view tag, double beta, std::span<TokenStats const> stats, UnpairedBatch const& batch,
                                           std::span<TokenStats> gradient, Prepare&& prepare) {
  require(std::isfinite(beta) && beta > 0, tag, "beta must be positive: got ", beta);
  check_preference_batch(tag, stats, batch, gradient);
  require(!batch.reference_logprobs.empty(), tag, "the batch has no log-probabilities of the reference: take it through WithReference ",
          "(docs/preference.md)");
  auto const sequences = static_cast<std::size_t>(batch.sequences());
  double const answers = batch.normalizer > 0 ? batch.normalizer : static_cast<double>(sequences);
  auto const first = [&](std::size_t s) { return static_cast<std::size_t>(batch.cu_predictions[s]); };
  std::vector<double> logps(sequences), ratios(sequences);
  for (std::size_t s = 0; s < sequences; ++s) {
    double reference = 0;
    for (std::size_t n = first(s); n < first(s + 1); ++n) {
      logps[s] += stats[n].target_logprob;
      reference += double{batch.reference_logprobs[n]};
    }
    ratios[s] = logps[s] - reference;
  }
  LossReport report;
  auto const cost = prepare(std::span<double const>(ratios), report.metrics);
  for (std::size_t s = 0; s < sequences; ++s) {
    bool const desirable = batch.preferred[s] == 1;
    AnswerCost const of_answer = cost(ratios[s], desirable);
    report.value += of_answer.value / answers;
    for (std::size_t n = first(s); n < first(s + 1); ++n) gradient[n] = {.target_logprob = of_answer.slope / answers};
    report.metrics.add(desirable ? "rewards/chosen" : "rewards/rejected", beta * ratios[s]);
    report.metrics.add(desirable ? "logps/chosen" : "logps/rejected", logps[s]);
    if (!desirable) continue;
    report.negative_log_likelihood -= logps[s];
    report.weight += static_cast<double>(batch.predictions(static_cast<Index>(s)));
  }
  double const margin = report.metrics["rewards/chosen"] - report.metrics["rewards/rejected"];
  if (!std::isnan(margin)) report.metrics.add("rewards/margins", margin);
  add_token_metrics(report.metrics, stats, batch);
  return report;
}

}  // namespace graft
