// SPDX-License-Identifier: Apache-2.0
// graft kto: learns from single answers that were judged desirable or not, by KTO, its APO variant, or BCO.
#include "commands.hpp"
#include "preference_run.hpp"

#include <graft/data/unpaired_data.hpp>
#include <graft/loss/preference/bco.hpp>
#include <graft/loss/preference/kto.hpp>
#include <graft/train/bco_reference.hpp>
#include <graft/train/kto_reference.hpp>

#include <memory>
#include <string>

namespace cli {

/// What `graft kto` has beside the flags of every trainer on judged answers.
struct KtoFlags : PreferenceFlags {
  std::string loss = "kto";
  double desirable_weight = 1;
  double undesirable_weight = 1;
};

static graft::UnpairedDataOptions unpaired_options(KtoFlags const& flags, graft::Tokenizer const& tokenizer) {
  graft::UnpairedDataOptions options;
  options.batch_size = flags.batch_size;
  options.gradient_accumulation = flags.gradient_accumulation;
  options.max_length = flags.max_length;
  options.seed = flags.seed;
  options.shuffle = !flags.no_shuffle;
  options.chat_format = chosen_format(flags.model, tokenizer);
  return options;
}

/// Says how the labels are divided and, where the weights do not make up for that, which would (Ethayarajh et al. 2024, eq. 9: the
/// desirable answers' weight should be 1 to 4/3 of the undesirable ones').
static void report_labels(KtoFlags const& flags, graft::UnpairedDataset const& data) {
  auto const desirable = static_cast<double>(data.desirable()), undesirable = static_cast<double>(data.size() - data.desirable());
  std::cerr << "  desirable: " << desirable << ", undesirable: " << undesirable << '\n';
  if (flags.loss != "kto" || desirable == 0 || undesirable == 0) return;
  double const ratio = flags.desirable_weight * desirable / (flags.undesirable_weight * undesirable);
  if (ratio < 0.99 || ratio > 4.0 / 3 + 0.01)
    std::cerr << "  to balance them: --desirable-weight " << flags.undesirable_weight * undesirable / desirable << " … "
              << flags.undesirable_weight * undesirable / desirable * 4 / 3 << " with --undesirable-weight " << flags.undesirable_weight << '\n';
}

/// A run with what completes each step, which a loss of this kind needs: `completes` and, for held-out answers, `held_out_completes`.
template <class Loss, class Completes>
static void run(KtoFlags const& flags, Trainer& trainer, Session& session, Loss const& loss, graft::UnpairedData& data, Completes& completes,
                HeldOutPreferences<graft::UnpairedData>& held_out, Completes& held_out_completes) {
  if (held_out.present()) trainer.evaluate = [&] { return held_out.evaluate(loss, held_out_completes); };
  graft::WithReference judged(data, completes);
  run_training(flags, trainer, *session.model, loss, judged);
}

static void kto(KtoFlags const& flags) {
  bool const estimates_kl = flags.loss == "kto";
  graft::require(!estimates_kl || flags.batch_size >= 2, "kto", "--batch-size must be at least 2: the KL is estimated with the completions of "
                 "other answers of the step");
  Session session = open_run_session(flags.model, flags.output, flags.resume);
  auto const options = unpaired_options(flags, session.tokenizer());
  graft::UnpairedData data(flags.data, session.tokenizer(), options);
  std::cerr << data.report();
  report_labels(flags, data.dataset());
  build(session, adapter_of(flags), flags.init_adapter);
  auto& model = *session.model;
  model.set_recompute(recompute_of(flags));
  std::filesystem::create_directories(flags.output);
  PolicyReference reference = reference_of(flags, flags.reference, session);
  HeldOutPreferences<graft::UnpairedData> held_out(flags, session, reference, true, options);
  precompute(flags, reference, data.dataset());

  Trainer trainer{.options = options_of(flags),
                  .metric_columns = {"rewards/chosen", "rewards/rejected", "rewards/margins", "logps/chosen", "logps/rejected", "logits/chosen",
                                     "logits/rejected", "entropy", flags.loss == "bco" ? "delta" : "kl"}};
  add_preference_options(trainer.options, flags);
  set_option(trainer.options, "loss", flags.loss);
  set_option(trainer.options, "desirable-weight", flags.desirable_weight);
  set_option(trainer.options, "undesirable-weight", flags.undesirable_weight);
  trainer.base_passes = estimates_kl || !flags.precompute_ref_log_probs;
  auto const& held_out_answers = held_out.present() ? held_out.data().dataset() : data.dataset();
  if (flags.loss == "bco") {
    graft::RewardHistory history;
    trainer.after_step = [&](graft::StepContext const& context, graft::TrainerState& state) {
      history.on_step_end(context);
      history.store(state);
    };
    trainer.resumed = [&](graft::TrainerState const& state) { history.restore(state); };
    graft::BcoReference completes(reference, history), held_out_completes(held_out.reference(), history);
    run(flags, trainer, session, graft::Bco{.beta = flags.beta}, data, completes, held_out, held_out_completes);
  } else {
    graft::Kto const loss{.beta = flags.beta,
                          .desirable_weight = flags.desirable_weight,
                          .undesirable_weight = flags.undesirable_weight,
                          .reference_point = estimates_kl};
    graft::KtoReference completes(model, reference, data.dataset()), held_out_completes(model, held_out.reference(), held_out_answers);
    if (estimates_kl)
      run(flags, trainer, session, loss, data, completes, held_out, held_out_completes);
    else
      run(flags, trainer, session, loss, data, reference, held_out, held_out.reference());
  }
  save_result(flags, session);
}

void add_kto(CLI::App& app) {
  auto const flags = std::make_shared<KtoFlags>();
  auto* command = app.add_subcommand("kto", "learning from single answers, desirable or not: KTO and BCO");
  add_training_flags(*command, *flags);
  auto* group = command->add_option_group("preferences");
  group->add_option("--loss", flags->loss, "kto; apo_zero_unpaired: without a reference point; bco: a classifier of rewards")
      ->check(CLI::IsMember({"kto", "apo_zero_unpaired", "bco"}))->capture_default_str();
  add_preference_flags(*group, *flags);
  group->add_option("--desirable-weight", flags->desirable_weight, "of desirable answers (not bco)")->capture_default_str();
  group->add_option("--undesirable-weight", flags->undesirable_weight, "of undesirable answers (not bco)")->capture_default_str();
  command->callback([flags] { kto(*flags); });
}

}  // namespace cli
