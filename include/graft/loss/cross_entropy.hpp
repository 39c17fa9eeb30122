// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/token_weights.hpp>

namespace graft {

/// Next-token cross entropy with label smoothing ε and a z-loss of coefficient ζ. For a token with logits l (V),
/// target y, lse = log Σ exp l and weight w, divided by the normalizer Z of the batch:
///   value = Σ w·[ (1-ε)·(lse - l_y) + ε·(lse - mean l) + ζ·lse² ] / Z
/// The smoothed part is the mean over the vocabulary of -log p: what transformers' LabelSmoother computes, that is a
/// target of 1-ε+ε/V on y and ε/V elsewhere (Szegedy et al. 2016, section 7). The z-loss keeps the softmax normaliser
/// near 1 (Chowdhery et al. 2022, PaLM, section 5). With both 0 it is the mean negative log-likelihood.
/// Errors: [cross_entropy] for ε outside [0, 1), ζ < 0, or statistics that do not fit the batch.
struct CrossEntropy {
  using Batch = TokenBatch;

  double label_smoothing = 0;  ///< ε
  double z_loss = 0;           ///< ζ; PaLM used 1e-4

  friend bool operator==(CrossEntropy const&, CrossEntropy const&) = default;

  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    require(label_smoothing >= 0 && label_smoothing < 1, "cross_entropy", "label_smoothing must be in [0, 1): got ",
            label_smoothing);
    require(std::isfinite(z_loss) && z_loss >= 0, "cross_entropy", "z_loss must be 0 or more: got ", z_loss);
    TokenWeights const weights("cross_entropy", stats, batch, gradient);

    LossReport report{.weight = weights.total()};
    double sum = 0;
    for (std::size_t n = 0; n < stats.size(); ++n) {
      double const logsumexp = stats[n].logsumexp;
      double const nll = -stats[n].target_logprob;
      double const smooth = logsumexp - stats[n].mean_logit;
      sum += weights[n] * ((1 - label_smoothing) * nll + label_smoothing * smooth + z_loss * logsumexp * logsumexp);
      report.negative_log_likelihood += weights[n] * nll;

      double const scale = weights[n] / weights.normalizer();
      gradient[n] = {.target_logprob = -scale * (1 - label_smoothing),
                     .logsumexp = scale * (label_smoothing + 2 * z_loss * logsumexp),
                     .mean_logit = -scale * label_smoothing};
    }
    report.value = sum / weights.normalizer();
    return report;
  }
};

static_assert(Loss<CrossEntropy>);

}  // namespace graft
