// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/concept.hpp>
#include <graft/loss/preference/preference_batch.hpp>
#include <graft/model/transformer.hpp>
#include <graft/train/evaluate.hpp>
#include <graft/train/statistics.hpp>
#include <graft/train/value_and_grad.hpp>

#include <cmath>
#include <sstream>
#include <vector>

namespace graft {

/// One pass over held-out pairs, or single answers, without gradients and without dropout: the loss, a mean over them; the loss's
/// metrics; and in words how often the chosen answer has the higher reward, with Wilson's 95 % interval, and by how much on the
/// mean; of single answers the mean rewards. `batches` know the reference where the loss needs it.
template <class Model, Loss L, class Batches>
[[nodiscard]] EvaluationSummary evaluate_preferences(Model& model, L const& loss, Batches&& batches) {
  EvaluationSummary summary;
  double sum = 0, records = 0;
  for (auto const& batch : batches) {
    auto const stats = model.forward(batch, {.sum_sq_probs = detail::needs_sum_sq_probs(loss)});
    LossReport const report = loss(stats, batch, model.token_gradient());
    sum += report.value * batch.normalizer;
    records += batch.normalizer;
    summary.supervised_tokens += batch.supervised();
    summary.metrics += report.metrics;
  }
  require(records > 0, "evaluate", "there are no pairs or answers to evaluate on");
  summary.loss = sum / records;
  std::ostringstream remarks;
  double const share = summary.metrics["rewards/accuracies"];
  if (std::isnan(share)) {
    remarks << "reward of desirable answers " << summary.metrics["rewards/chosen"] << ", of undesirable ones "
            << summary.metrics["rewards/rejected"];
  } else {
    auto const accuracy = wilson_interval(std::lround(share * records), std::lround(records));
    remarks << "accuracy " << accuracy.estimate << " [" << accuracy.low << ", " << accuracy.high << "]  margin "
            << summary.metrics["rewards/margins"];
    summary.metrics.add("rewards/accuracies_low", accuracy.low);
    summary.metrics.add("rewards/accuracies_high", accuracy.high);
  }
  summary.remarks = remarks.str();
  return summary;
}

}  // namespace graft
