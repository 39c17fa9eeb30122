// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/preference/preference_batch.hpp>

namespace graft {

/// Single answers that people found desirable or not; each sequence stands for itself. `normalizer` counts the sequences of a
/// whole optimizer step. Beside the answers it has what the losses on them measure against.
struct UnpairedBatch : PreferenceBatch {
  double kl = 0;           ///< KTO's reference point: an estimate of KL(π ‖ π_ref), in nats a sequence
  double past_reward = 0;  ///< BCO's: Σ β·(log π - log π_ref) over the answers of all earlier steps
  double past_answers = 0; ///< their number

  /// What a normalizer adds up: sequences.
  [[nodiscard]] double total_weight() const { return static_cast<double>(sequences()); }
  void clear() {
    PreferenceBatch::clear();
    kl = past_reward = past_answers = 0;
  }
};

}  // namespace graft
