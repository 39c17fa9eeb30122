// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/unpaired_dataset.hpp>
#include <graft/train/reference_policy.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace graft {

/// Completes the batches of a step for KTO: the reference's log-probabilities, and the estimate of KL(π ‖ π_ref). Answer i's
/// prompt takes the completion of answer i-1 of the step, the first one's that of the last, as TRL 1.16 pairs them; the estimate is
/// the mean over these of Σ log π - Σ log π_ref, by two passes without gradient or dropout. It runs over the whole step, however
/// that is cut into micro-batches. Both come from passes of the one resident model.
template <class Model>
class KtoReference {
 public:
  /// All are held by reference. `data` is what the batches are made of.
  KtoReference(Model& model, ReferencePolicy<Model>& reference, UnpairedDataset const& data)
      : model_(&model), reference_(&reference), data_(&data) {}

  void fill(std::span<UnpairedBatch> step) {
    reference_->fill(step);
    double const kl = estimate(step);
    for (auto& batch : step) batch.kl = kl;
  }

 private:
  [[nodiscard]] double estimate(std::span<UnpairedBatch const> step) {
    std::vector<UnpairedExample const*> answers;
    for (auto const& batch : step)
      for (Index const record : batch.records) answers.push_back(&data_->answer(record));
    require(!answers.empty(), "kto", "the batches of a step must say which records their answers are");
    double sum = 0;
    std::size_t i = 0;
    for (auto const& batch : step) {
      mismatched_.clear();
      for (Index s = 0; s < batch.sequences(); ++s, ++i)
        append_mismatched(mismatched_, *answers[i], *answers[(i + answers.size() - 1) % answers.size()], data_->report().max_length);
      for (auto const& token : model_->forward(mismatched_, {})) sum += token.target_logprob;
      reference_->compute(mismatched_);
      for (float const logprob : mismatched_.reference_logprobs) sum -= double{logprob};
    }
    return sum / static_cast<double>(answers.size());
  }

  Model* model_;
  ReferencePolicy<Model>* reference_;
  UnpairedDataset const* data_;
  UnpairedBatch mismatched_;
};

}  // namespace graft
