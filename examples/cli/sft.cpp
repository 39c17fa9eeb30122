// SPDX-License-Identifier: Apache-2.0
// graft sft: supervised fine-tuning of an adapter, or of every weight, on a JSONL file.
#include "commands.hpp"
#include "trainers.hpp"
#include "training_run.hpp"

#include <graft/data/chat_data.hpp>
#include <graft/data/packed_dataset.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/train/evaluate.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>

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
  options.supervision.assistant_only = flags.assistant_only_loss;
  options.supervision.completion_only = flags.completion_only_loss;
  options.truncation = flags.truncation_mode == "keep_end" ? graft::Truncation::keep_end : graft::Truncation::keep_start;
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

/// Trains on records, or on rows of packed records.
template <class Data>
static void train_on(SftFlags const& flags, Session& session, Data data) {
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
  set_option(trainer.options, "assistant-only-loss", flags.assistant_only_loss);
  set_option(trainer.options, "completion-only-loss", flags.completion_only_loss);
  set_option(trainer.options, "packing", flags.packing);
  set_option(trainer.options, "truncation-mode", flags.truncation_mode);
  set_option(trainer.options, "completion-field", flags.completion_field);
  set_option(trainer.options, "label-smoothing", flags.label_smoothing);
  set_option(trainer.options, "z-loss", flags.z_loss);
  if (held_out.present()) trainer.evaluate = [&] { return held_out.evaluate(); };
  graft::CrossEntropy const loss{.label_smoothing = flags.label_smoothing, .z_loss = flags.z_loss};
  run_training(flags, trainer, *session.model, loss, data);
  save_result(flags, session);
}

void run_sft(SftFlags const& flags, Session& session) {
  auto const options = data_options(flags, session.tokenizer());
  if (!flags.packing) return train_on(flags, session, graft::ChatData(flags.data, session.tokenizer(), options));
  graft::PackedDataset rows(graft::load_chat_dataset(flags.data, session.tokenizer(), options), flags.max_length);
  std::cerr << rows.report().records << " records packed into " << rows.size() << " rows of at most " << flags.max_length << " tokens\n";
  train_on(flags, session, graft::PackedBatches(std::move(rows), graft::batch_options_of(options)));
}

void add_sft_flags(CLI::App& app, SftFlags& flags) {
  auto const groups = add_training_flags(app, flags);
  groups.data->add_flag("--last-turn-only", flags.last_turn_only, "of a conversation, learn the last assistant turn only");
  groups.data->add_option("--assistant-only-loss", flags.assistant_only_loss, "of messages, learn what the assistant says; false: all of them")
      ->capture_default_str();
  groups.data->add_option("--completion-only-loss", flags.completion_only_loss, "of prompt and completion, learn the completion; false: both")
      ->capture_default_str();
  groups.data->add_option("--truncation-mode", flags.truncation_mode, "which end of a record that is too long is kept")
      ->check(CLI::IsMember({"keep_start", "keep_end"}))->capture_default_str();
  groups.data->add_flag("--packing", flags.packing, "records of a step become rows of up to --max-length tokens, each of several records (best-fit decreasing)");
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
