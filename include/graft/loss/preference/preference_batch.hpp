// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/token_batch.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace graft {

/// Sequences that people judged. Paired: sequences 2p and 2p + 1 are the chosen and the rejected answer of pair p. Unpaired:
/// each sequence stands for itself. S sequences, N supervised predictions, all of them in completions.
/// `normalizer` counts the pairs (or, unpaired, the sequences) of a whole optimizer step; 0: those of this batch.
struct PreferenceBatch : TokenBatch {
  std::vector<std::int32_t> cu_predictions;     ///< (S + 1): sequence s has predictions cu_predictions[s] … [s+1]-1
  std::vector<std::int32_t> completion_tokens;  ///< (S): one more than its predictions where a completion is all there is
  std::vector<std::uint8_t> preferred;          ///< (S): 1 chosen or desirable, 0 rejected or undesirable
  std::vector<float> reference_logprobs;        ///< (N): log π_ref of the targets; empty: the loss needs none
  double chosen_tokens = 0;                     ///< predictions in chosen answers of the whole step; 0: of this batch
  double kl = 0;                                ///< estimate of KL(π ‖ π_ref), in nats a sequence: KTO's reference point

  [[nodiscard]] Index pairs() const { return sequences() / 2; }
  /// Predictions of sequence s.
  [[nodiscard]] Index predictions(Index s) const {
    auto const at = static_cast<std::size_t>(s);
    return cu_predictions[at + 1] - cu_predictions[at];
  }
};

/// Empties a batch and keeps its memory.
inline void clear(PreferenceBatch& batch) {
  for (auto* list : {&batch.ids, &batch.cu_seqlens, &batch.rows, &batch.targets, &batch.cu_predictions, &batch.completion_tokens})
    list->clear();
  batch.weights.clear();
  batch.records.clear();
  batch.preferred.clear();
  batch.reference_logprobs.clear();
  batch.normalizer = batch.chosen_tokens = batch.kl = 0;
}

/// Closes the sequence that was appended last: notes where its predictions end, and how it was judged.
inline void close_sequence(PreferenceBatch& batch, bool preferred, Index completion_tokens) {
  if (batch.cu_predictions.empty()) batch.cu_predictions.push_back(0);
  batch.cu_predictions.push_back(static_cast<std::int32_t>(batch.supervised()));
  batch.completion_tokens.push_back(static_cast<std::int32_t>(completion_tokens));
  batch.preferred.push_back(preferred ? 1 : 0);
}

}  // namespace graft
