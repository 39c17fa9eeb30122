// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/cross_entropy.hpp>

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/loss/token_weights.hpp>

#include <cmath>

namespace graft {

GRAFT_INLINE LossReport CrossEntropy::operator()(std::span<TokenStats const> stats, Batch const& batch,
                                                 std::span<TokenStats> gradient) const {
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

}  // namespace graft
