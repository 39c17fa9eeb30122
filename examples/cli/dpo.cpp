// SPDX-License-Identifier: Apache-2.0
// graft dpo: learns from pairs of answers, of which one was preferred, by DPO or another loss on pairs.
#include "commands.hpp"
#include "trainers.hpp"
#include "training_run.hpp"

#include <graft/data/preference_data.hpp>
#include <graft/train/evaluate_preferences.hpp>
#include <graft/train/with_reference.hpp>

#include <filesystem>
#include <iostream>
#include <memory>

namespace cli {

static graft::PreferenceDataOptions preference_options(DpoFlags const& flags, graft::Tokenizer const& tokenizer) {
  graft::PreferenceDataOptions options;
  options.batch_size = flags.batch_size;
  options.gradient_accumulation = flags.gradient_accumulation;
  options.max_length = flags.max_length;
  options.truncation = flags.truncation_mode == "keep_end" ? graft::Truncation::keep_end : graft::Truncation::keep_start;
  options.seed = flags.seed;
  options.shuffle = !flags.no_shuffle;
  options.chat_format = chosen_format(flags.model, tokenizer);
  return options;
}

using PairReference = graft::ReferencePolicy<Model>;
using PairLoss = graft::Dpo<graft::ObjectiveSum>;

/// Held-out pairs, with what the reference thinks of them.
class HeldOutPairs {
 public:
  HeldOutPairs(DpoFlags const& flags, Session& session, PairReference reference, PairLoss const& loss)
      : model_(&*session.model), loss_(loss), reference_(std::move(reference)) {
    if (flags.eval_data.empty()) return;
    auto options = preference_options(flags, session.tokenizer());
    options.shuffle = false;
    options.gradient_accumulation = 1;
    data_.emplace(flags.eval_data, session.tokenizer(), options);
    std::cerr << data_->report();
    if (loss.needs_reference()) reference_.precompute(data_->dataset());
  }
  [[nodiscard]] bool present() const { return data_.has_value(); }
  [[nodiscard]] graft::EvaluationSummary evaluate() {
    data_->rewind();
    if (!loss_.needs_reference()) return graft::evaluate_preferences(*model_, loss_, data_->epochs(1));
    graft::WithReference judged(*data_, reference_);
    return graft::evaluate_preferences(*model_, loss_, judged.epochs(1));
  }

 private:
  Model* model_;
  PairLoss loss_;
  PairReference reference_;
  std::optional<graft::PreferenceData> data_;
};

void run_dpo(DpoFlags const& flags, Session& session) {
  PairLoss const loss = loss_of(flags);
  graft::PreferenceData data(flags.data, session.tokenizer(), preference_options(flags, session.tokenizer()));
  std::cerr << data.report();
  build(session, adapter_of(flags), flags.init_adapter);
  session.model->set_recompute(recompute_of(flags));
  std::filesystem::create_directories(flags.output);

  bool const fresh = flags.method == "lora" && flags.init_adapter.empty() && flags.modules_to_save.empty() && flags.bias == "none";
  auto const kind = flags.reference == "base" ? graft::ReferenceKind::base : graft::ReferenceKind::initial;
  graft::require(kind == graft::ReferenceKind::initial || flags.method == "lora", "dpo",
                 "--reference base is the model without its adapter: --method full has none");
  PairReference reference(*session.model, kind, fresh);
  HeldOutPairs held_out(flags, session, reference, loss);
  if (loss.needs_reference() && flags.precompute_ref_log_probs) {
    auto const cache = std::filesystem::path(flags.output) / "reference.safetensors";
    std::cerr << (reference.precompute(data.dataset(), cache) ? "read" : "computed") << " the reference's log-probabilities ("
              << cache.string() << ")\n";
  }

  Trainer trainer{.options = options_of(flags)};
  add_dpo_options(trainer.options, flags);
  trainer.metric_columns.assign(graft::preference_metric_names.begin(), graft::preference_metric_names.end());
  if (held_out.present()) trainer.evaluate = [&] { return held_out.evaluate(); };
  if (loss.needs_reference()) {
    trainer.base_passes = !flags.precompute_ref_log_probs;
    graft::WithReference judged(data, reference);
    run_training(flags, trainer, *session.model, loss, judged);
  } else {
    run_training(flags, trainer, *session.model, loss, data);
  }
  save_result(flags, session);
}

void add_dpo(CLI::App& app) {
  auto const flags = std::make_shared<DpoFlags>();
  auto* command = app.add_subcommand("dpo", "learning from preferred and rejected answers: DPO and its family");
  add_dpo_flags(*command, *flags);
  command->callback([flags] {
    Session session = open_session(flags->model);
    run_dpo(*flags, session);
  });
}

}  // namespace cli
