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

using AnswerReference = graft::ReferencePolicy<Model>;

/// The reference that the flags name, of the session's model as it is now. Error: a base without adapter where there is none.
[[nodiscard]] inline AnswerReference reference_of(PreferenceFlags const& flags, Session& session) {
  bool const fresh = flags.method == "lora" && flags.init_adapter.empty() && flags.modules_to_save.empty() && flags.bias == "none";
  auto const kind = flags.reference == "base" ? graft::ReferenceKind::base : graft::ReferenceKind::initial;
  graft::require(kind == graft::ReferenceKind::initial || flags.method == "lora", "reference",
                 "--reference base is the model without its adapter: --method full has none");
  return AnswerReference(*session.model, kind, fresh);
}

/// With --precompute-ref-log-probs: asks the reference about all records first.
template <class Dataset>
void precompute(PreferenceFlags const& flags, AnswerReference& reference, Dataset const& dataset) {
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
  HeldOutPreferences(PreferenceFlags const& flags, Session& session, AnswerReference reference, bool needed, Options options)
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
  [[nodiscard]] AnswerReference& reference() { return reference_; }

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
  AnswerReference reference_;
  bool needed_;
  std::optional<Data> data_;
};

}  // namespace cli
