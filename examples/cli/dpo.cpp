// SPDX-License-Identifier: Apache-2.0
// graft dpo: learns from pairs of answers, of which one was preferred, by DPO or another loss on pairs.
#include "commands.hpp"
#include "dpo_flags.hpp"
#include "preference_run.hpp"
#include "trainers.hpp"

#include <graft/data/preference_data.hpp>

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
  options.share_prompts = !flags.no_shared_prompts;
  options.chat_format = chosen_format(flags.model, tokenizer);
  return options;
}

void run_dpo(DpoFlags const& flags, Session& session) {
  graft::Dpo<graft::ObjectiveSum> const loss = loss_of(flags, flags.beta);
  auto const options = preference_options(flags, session.tokenizer());
  graft::PreferenceData data(flags.data, session.tokenizer(), options);
  std::cerr << data.report();
  build(session, adapter_of(flags), flags.init_adapter);
  session.model->set_recompute(recompute_of(flags));
  std::filesystem::create_directories(flags.output);

  PolicyReference reference = reference_of(flags, flags.reference, session);
  bool const needed = loss.needs_reference();
  HeldOutPreferences<graft::PreferenceData> held_out(flags, session, reference, needed, options);
  if (needed) precompute(flags, reference, data.dataset());

  Trainer trainer{.options = options_of(flags)};
  add_dpo_options(trainer.options, flags);
  trainer.metric_columns.assign(graft::preference_metric_names.begin(), graft::preference_metric_names.end());
  if (held_out.present()) trainer.evaluate = [&] { return held_out.evaluate(loss); };
  if (needed) {
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
    Session session = open_run_session(flags->model, flags->output, flags->resume);
    run_dpo(*flags, session);
  });
}

}  // namespace cli
