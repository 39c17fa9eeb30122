// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/concept.hpp>
#include <graft/loss/preference/log_sigmoid.hpp>
#include <graft/loss/preference/preference_batch.hpp>
#include <graft/loss/preference/preference_metrics.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace graft {

/// KTO (Ethayarajh et al. 2024, eq. 8) on single answers that are desirable or not. With r = log π - log π_ref of an answer
/// and z the batch's KL estimate, not below 0:
///   desirable    λ_D·(1 - σ(β(r - z)))        undesirable  λ_U·(1 - σ(β(z - r)))
/// The value is the mean over the step's answers. z has no gradient. With `reference_point = false`, z is 0: APO-zero on
/// unpaired answers. Metrics: kl, and rewards/*, logps/*, logits/*, entropy as those of `Dpo`, without accuracies.
/// Errors: [kto] β not positive, a weight below 0, a batch without the reference's log-probabilities.
struct Kto {
  using Batch = PreferenceBatch;

  double beta = 0.1;              ///< β
  double desirable_weight = 1;    ///< λ_D
  double undesirable_weight = 1;  ///< λ_U
  bool reference_point = true;

  friend bool operator==(Kto const&, Kto const&) = default;

  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    require(std::isfinite(beta) && beta > 0, "kto", "beta must be positive: got ", beta);
    require(desirable_weight >= 0 && undesirable_weight >= 0, "kto", "weights must be 0 or more: got ", desirable_weight, " and ",
            undesirable_weight);
    check_preference_batch("kto", stats, batch, gradient);
    require(!batch.reference_logprobs.empty(), "kto", "the batch has no log-probabilities of the reference");
    double const answers = batch.normalizer > 0 ? batch.normalizer : static_cast<double>(batch.sequences());
    double const kl = reference_point ? std::max(batch.kl, 0.0) : 0;
    LossReport report;
    report.metrics.add("kl", kl);
    for (std::size_t s = 0; s < batch.preferred.size(); ++s) {
      auto const begin = static_cast<std::size_t>(batch.cu_predictions[s]), end = static_cast<std::size_t>(batch.cu_predictions[s + 1]);
      double logp = 0, reference = 0;
      for (std::size_t n = begin; n < end; ++n) {
        logp += stats[n].target_logprob;
        reference += double{batch.reference_logprobs[n]};
      }
      bool const desirable = batch.preferred[s] == 1;
      double const weight = desirable ? desirable_weight : undesirable_weight;
      double const side = desirable ? 1 : -1;
      double const x = side * beta * (logp - reference - kl);
      report.value += weight * sigmoid(-x) / answers;
      double const d = -side * weight * beta * sigmoid(x) * sigmoid(-x) / answers;
      for (std::size_t n = begin; n < end; ++n) gradient[n] = {.target_logprob = d};
      report.metrics.add(desirable ? "rewards/chosen" : "rewards/rejected", beta * (logp - reference));
      report.metrics.add(desirable ? "logps/chosen" : "logps/rejected", logp);
      if (!desirable) continue;
      report.negative_log_likelihood -= logp;
      report.weight += static_cast<double>(end - begin);
    }
    add_token_metrics(report.metrics, stats, batch);
    return report;
  }
};

static_assert(Loss<Kto>);

}  // namespace graft
