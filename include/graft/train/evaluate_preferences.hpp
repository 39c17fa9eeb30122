// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/concept.hpp>
#include <graft/loss/preference/preference_batch.hpp>
#include <graft/model/transformer.hpp>
#include <graft/train/evaluate.hpp>
#include <graft/train/statistics.hpp>

#include <cmath>
#include <sstream>
#include <vector>

namespace graft {

/// One pass over held-out pairs, without gradients and without dropout: the loss, a mean over pairs; the loss's metrics; and
/// in words how often the chosen answer has the higher reward, with Wilson's 95 % interval, and by how much on the mean.
/// `batches` know the reference where the loss needs it.
template <class Model, Loss L, class Batches>
[[nodiscard]] EvaluationSummary evaluate_preferences(Model& model, L const& loss, Batches&& batches) {
  EvaluationSummary summary;
  double sum = 0, pairs = 0;
  for (auto const& batch : batches) {
    auto const stats = model.forward(batch, {});
    LossReport const report = loss(stats, batch, model.token_gradient());
    sum += report.value * batch.normalizer;
    pairs += batch.normalizer;
    summary.supervised_tokens += batch.supervised();
    summary.metrics += report.metrics;
  }
  require(pairs > 0, "evaluate", "there are no pairs to evaluate on");
  summary.loss = sum / pairs;
  auto const accuracy = wilson_interval(std::lround(summary.metrics["rewards/accuracies"] * pairs), std::lround(pairs));
  std::ostringstream remarks;
  remarks << "accuracy " << accuracy.estimate << " [" << accuracy.low << ", " << accuracy.high << "]  margin "
          << summary.metrics["rewards/margins"];
  summary.remarks = remarks.str();
  summary.metrics.add("rewards/accuracies_low", accuracy.low);
  summary.metrics.add("rewards/accuracies_high", accuracy.high);
  return summary;
}

}  // namespace graft
