// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/metrics.hpp>
#include <graft/loss/token_batch.hpp>
#include <graft/model/transformer.hpp>

#include <cmath>
#include <sstream>
#include <string>
#include <vector>

namespace graft {

/// What an evaluation on held-out data comes to.
struct EvaluationSummary {
  double loss = 0;  ///< what is to fall
  Index supervised_tokens = 0;
  Metrics metrics{};        ///< what else it found
  std::string remarks{};    ///< the same for people, beside the loss
};

/// Negative log-likelihood of the supervised tokens of one record, in nats.
struct RecordNll {
  double nll = 0;  ///< sum
  Index tokens = 0;
};

/// Σ over records, and the record list it came from.
struct Evaluation {
  std::vector<RecordNll> records;
  double nll = 0;
  Index tokens = 0;
  [[nodiscard]] double nll_per_token() const { return tokens > 0 ? nll / static_cast<double>(tokens) : 0; }
  [[nodiscard]] double perplexity() const { return std::exp(nll_per_token()); }
  /// As `EvaluateEvery` takes it.
  [[nodiscard]] operator EvaluationSummary() const {
    std::ostringstream remarks;
    remarks << "perplexity " << perplexity();
    return {.loss = nll_per_token(), .supervised_tokens = tokens, .remarks = remarks.str()};
  }
};

/// Adds the NLL of each sequence of `batch` to its record. Dropout is off. `batch.records` says which record a sequence is.
template <class Model>
void evaluate_batch(Model& model, TokenBatch const& batch, bool adapters, Evaluation& evaluation) {
  require(batch.records.size() == static_cast<std::size_t>(batch.sequences()), "evaluate",
          "a batch must say which record each of its sequences is: got ", batch.records.size(), " record numbers for ",
          batch.sequences(), " sequences");
  auto const stats = model.forward(batch, {.adapters = adapters});
  std::size_t n = 0;
  for (std::size_t s = 0; s + 1 < batch.cu_seqlens.size(); ++s) {
    auto const record = static_cast<std::size_t>(batch.records[s]);
    if (record >= evaluation.records.size()) evaluation.records.resize(record + 1);
    for (; n < batch.rows.size() && batch.rows[n] < batch.cu_seqlens[s + 1]; ++n) {
      evaluation.records[record].nll -= stats[n].target_logprob;
      ++evaluation.records[record].tokens;
    }
  }
}

/// One pass over all batches of a range, without gradients.
template <class Model, class Batches>
[[nodiscard]] Evaluation evaluate(Model& model, Batches&& batches, bool adapters = true) {
  Evaluation evaluation;
  for (auto const& batch : batches) evaluate_batch(model, batch, adapters, evaluation);
  for (auto const& record : evaluation.records) {
    evaluation.nll += record.nll;
    evaluation.tokens += record.tokens;
  }
  return evaluation;
}

}  // namespace graft
