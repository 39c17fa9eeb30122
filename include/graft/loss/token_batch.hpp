// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <cstdint>
#include <vector>

namespace graft {

/// Packed sequences and what is supervised in them. T tokens in S sequences, N supervised predictions.
/// Sequences lie one after another without padding; sequence s has the rows cu_seqlens[s] … cu_seqlens[s+1]-1. Where several begin
/// alike, as answers to one prompt do, the first one has the tokens and the others, which follow it, say how many they share with it:
/// they are computed once. Rows and targets do not change by that: a prediction's row lies in its own sequence.
/// Prediction n asks the model at row rows[n] for the token targets[n] (usually ids[rows[n] + 1]).
struct TokenBatch {
  std::vector<std::int32_t> ids;         ///< (T)
  std::vector<std::int32_t> cu_seqlens;  ///< (S + 1), from 0 to T
  std::vector<std::int32_t> prefix_tokens;  ///< (S) tokens that sequence s shares with the last one before it that shares none; empty: all 0
  std::vector<std::int32_t> rows;        ///< (N), ascending
  std::vector<std::int32_t> targets;     ///< (N)
  std::vector<float> weights;            ///< (N) factor of each prediction's loss; empty: all 1
  double normalizer = 0;                 ///< the loss is divided by it: Σ weights over a whole optimizer step; 0: over this batch
  std::vector<Index> records;            ///< (S) which record of the data set each sequence is; may be empty

  [[nodiscard]] Index tokens() const { return static_cast<Index>(ids.size()); }
  [[nodiscard]] Index sequences() const { return cu_seqlens.empty() ? 0 : static_cast<Index>(cu_seqlens.size()) - 1; }
  [[nodiscard]] Index supervised() const { return static_cast<Index>(rows.size()); }
  /// Σ weights: what a normalizer adds up.
  [[nodiscard]] double total_weight() const {
    if (weights.empty()) return static_cast<double>(rows.size());
    double total = 0;
    for (float weight : weights) total += weight;
    return total;
  }
  /// Empties it and keeps its memory.
  void clear() {
    ids.clear();
    cu_seqlens.clear();
    prefix_tokens.clear();
    rows.clear();
    targets.clear();
    weights.clear();
    records.clear();
    normalizer = 0;
  }
};

}  // namespace graft
