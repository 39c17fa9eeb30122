// SPDX-License-Identifier: Apache-2.0
// graft sft: supervised fine-tuning of an adapter, or of every weight, on a JSONL file.
#include "commands.hpp"
#include "trainers.hpp"
#include "training_run.hpp"

#include <graft/data/chat_data.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/train/evaluate.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

namespace cli {

using graft::Index;

static graft::ChatDataOptions data_options(SftFlags const& flags, graft::Tokenizer const& tokenizer) {
  graft::ChatDataOptions options;
  options.batch_size = flags.batch_size;
  options.max_length = flags.max_length;
  options.seed = flags.seed;
  options.shuffle = !flags.no_shuffle;
  options.gradient_accumulation = flags.gradient_accumulation;
  options.supervision.assistant_turns = flags.last_turn_only ? graft::AssistantTurns::last : graft::AssistantTurns::all;
  options.fields.completion_field = flags.completion_field;
  options.chat_format = chosen_format(flags.model, tokenizer);
  return options;
}

/// Held-out data, and the evaluation of the model on it.
class ChatHeldOut {
 public:
  ChatHeldOut(SftFlags const& flags, Session& session) : model_(&*session.model) {
    if (flags.eval_data.empty()) return;
    auto options = data_options(flags, session.tokenizer());
    options.shuffle = false;
    auto dataset = graft::load_chat_dataset(flags.eval_data, session.tokenizer(), options);
    std::cerr << dataset.report();
    Index const tokens = std::max<Index>(2048, std::min(dataset.report().longest, flags.max_length));
    batches_.emplace(std::move(dataset), graft::BatchOptions{.tokens_per_batch = tokens, .shuffle = false});
  }
  [[nodiscard]] bool present() const { return batches_.has_value(); }
  [[nodiscard]] graft::Evaluation evaluate(bool adapters = true) {
    batches_->rewind();
    return graft::evaluate(*model_, batches_->epochs(1), adapters);
  }

 private:
  Model* model_;
  std::optional<graft::Batches> batches_;
};

void run_sft(SftFlags const& flags, Session& session) {
  graft::ChatData data(flags.data, session.tokenizer(), data_options(flags, session.tokenizer()));
  std::cerr << data.report();
  auto const program = static_cast<std::size_t>(graft::resident_bytes());
  build(session, adapter_of(flags), flags.init_adapter);
  ChatHeldOut held_out(flags, session);
  session.model->set_recompute(recompute_of(flags));
  std::filesystem::create_directories(flags.output);
  if (held_out.present() && !flags.resume)
    std::cerr << "held-out loss of the untuned model " << held_out.evaluate(false).nll_per_token() << '\n';

  Trainer trainer{.options = options_of(flags), .program_bytes = program};
  set_option(trainer.options, "last-turn-only", flags.last_turn_only);
  set_option(trainer.options, "completion-field", flags.completion_field);
  set_option(trainer.options, "label-smoothing", flags.label_smoothing);
  set_option(trainer.options, "z-loss", flags.z_loss);
  if (held_out.present()) trainer.evaluate = [&] { return held_out.evaluate(); };
  graft::CrossEntropy const loss{.label_smoothing = flags.label_smoothing, .z_loss = flags.z_loss};
  run_training(flags, trainer, *session.model, loss, data);
  save_result(flags, session);
}

void add_sft_flags(CLI::App& app, SftFlags& flags) {
  auto const groups = add_training_flags(app, flags);
  groups.data->add_flag("--last-turn-only", flags.last_turn_only, "of a conversation, learn the last assistant turn only");
  groups.data->add_option("--completion-field", flags.completion_field, "key of what follows a prompt; chosen: learn the preferred answers of pairs")
      ->capture_default_str();
  groups.optimization->add_option("--label-smoothing", flags.label_smoothing, "share of the target spread over the vocabulary")
      ->capture_default_str();
  groups.optimization->add_option("--z-loss", flags.z_loss, "factor of the squared log-normaliser")->capture_default_str();
}

void add_sft(CLI::App& app) {
  auto const flags = std::make_shared<SftFlags>();
  auto* command = app.add_subcommand("sft", "supervised fine-tuning: an adapter, or every weight");
  add_sft_flags(*command, *flags);
  command->callback([flags] {
    Session session = open_run_session(flags->model, flags->output, flags->resume);
    run_sft(*flags, session);
  });
}

}  // namespace cli
