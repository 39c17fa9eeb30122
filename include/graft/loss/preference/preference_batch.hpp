// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/token_batch.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// Sequences that people judged: sequences 2p and 2p + 1 are the chosen and the rejected answer of pair p. S sequences, N supervised
/// predictions, all of them in completions. `normalizer` counts the pairs of a whole optimizer step; 0: those of this batch.
struct PreferenceBatch : TokenBatch {
  std::vector<std::int32_t> cu_predictions;     ///< (S + 1): sequence s has predictions cu_predictions[s] … [s+1]-1
  std::vector<std::int32_t> completion_tokens;  ///< (S): one more than its predictions where a completion is all there is
  std::vector<std::uint8_t> preferred;          ///< (S): 1 chosen or desirable, 0 rejected or undesirable
  std::vector<float> reference_logprobs;        ///< (N): log π_ref of the targets; empty: the loss needs none
  double chosen_tokens = 0;                     ///< predictions in chosen answers of the whole step; 0: of this batch

  [[nodiscard]] Index pairs() const { return sequences() / 2; }
  /// What a normalizer adds up: pairs.
  [[nodiscard]] double total_weight() const { return static_cast<double>(pairs()); }
  /// Predictions of sequence s.
  [[nodiscard]] Index predictions(Index s) const {
    auto const at = static_cast<std::size_t>(s);
    return cu_predictions[at + 1] - cu_predictions[at];
  }
  /// Tells the micro-batches of a step how many predictions its chosen answers have.
  static void share_step(std::span<PreferenceBatch> step) {
    double total = 0;
    for (auto const& batch : step)
      for (Index s = 0; s < batch.sequences(); ++s)
        if (batch.preferred[static_cast<std::size_t>(s)] == 1) total += static_cast<double>(batch.predictions(s));
    for (auto& batch : step) batch.chosen_tokens = total;
  }
  void clear() {
    TokenBatch::clear();
    cu_predictions.clear();
    completion_tokens.clear();
    preferred.clear();
    reference_logprobs.clear();
    chosen_tokens = 0;
  }
};

/// Closes the sequence that was appended last: notes where its predictions end, and how it was judged.
inline void close_sequence(PreferenceBatch& batch, bool preferred, Index completion_tokens) {
  if (batch.cu_predictions.empty()) batch.cu_predictions.push_back(0);
  batch.cu_predictions.push_back(static_cast<std::int32_t>(batch.supervised()));
  batch.completion_tokens.push_back(static_cast<std::int32_t>(completion_tokens));
  batch.preferred.push_back(preferred ? 1 : 0);
}

}  // namespace graft
