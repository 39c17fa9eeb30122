// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "preference_flags.hpp"
#include "training_run.hpp"

#include <graft/train/evaluate_preferences.hpp>
#include <graft/train/with_reference.hpp>

#include <filesystem>
#include <iostream>
#include <optional>
#include <utility>

namespace cli {

/// With --precompute-ref-log-probs: asks the reference about all records first.
template <class Dataset>
void precompute(PreferenceFlags const& flags, PolicyReference& reference, Dataset const& dataset) {
  if (!flags.precompute_ref_log_probs) return;
  auto const cache = std::filesystem::path(flags.output) / "reference.safetensors";
  std::cerr << (reference.precompute(dataset, cache) ? "read" : "computed") << " the reference's log-probabilities (" << cache.string()
            << ")\n";
}

/// Held-out records of the kind of `Data`, with what the reference thinks of them.
template <class Data>
class HeldOutPreferences {
 public:
  /// `needed`: whether anybody asks the reference.
  template <class Options>
  HeldOutPreferences(PreferenceFlags const& flags, Session& session, PolicyReference reference, bool needed, Options options)
      : model_(&*session.model), reference_(std::move(reference)), needed_(needed) {
    if (flags.eval_data.empty()) return;
    options.shuffle = false;
    options.gradient_accumulation = 1;
    data_.emplace(flags.eval_data, session.tokenizer(), options);
    std::cerr << data_->report();
    if (needed_) reference_.precompute(data_->dataset());
  }
  [[nodiscard]] bool present() const { return data_.has_value(); }
  [[nodiscard]] Data& data() { return *data_; }
  [[nodiscard]] PolicyReference& reference() { return reference_; }

  template <class Loss>
  [[nodiscard]] graft::EvaluationSummary evaluate(Loss const& loss) {
    if (needed_) return evaluate(loss, reference_);
    data_->rewind();
    return graft::evaluate_preferences(*model_, loss, data_->epochs(1));
  }
  /// The same with what completes each step, where that is more than the reference.
  template <class Loss, class Completes>
  [[nodiscard]] graft::EvaluationSummary evaluate(Loss const& loss, Completes& completes) {
    data_->rewind();
    graft::WithReference judged(*data_, completes);
    return graft::evaluate_preferences(*model_, loss, judged.epochs(1));
  }

 private:
  Model* model_;
  PolicyReference reference_;
  bool needed_;
  std::optional<Data> data_;
};

}  // namespace cli
