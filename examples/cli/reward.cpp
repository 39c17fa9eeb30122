// SPDX-License-Identifier: Apache-2.0
// graft reward: trains a reward model, an adapter with a score head, on pairs and rankings of answers.
#include "commands.hpp"
#include "trainers.hpp"
#include "training_run.hpp"

#include <graft/data/reward_data.hpp>
#include <graft/loss/reward/bradley_terry.hpp>
#include <graft/loss/reward/plackett_luce.hpp>
#include <graft/train/evaluate_reward.hpp>

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace cli {

using graft::Index;

static graft::RewardDataOptions data_options(RewardFlags const& flags, graft::Tokenizer const& tokenizer) {
  graft::RewardDataOptions options;
  options.batch_size = flags.batch_size;
  options.max_length = flags.max_length;
  options.seed = flags.seed;
  options.shuffle = !flags.no_shuffle;
  options.gradient_accumulation = flags.gradient_accumulation;
  options.chat_format = chosen_format(flags.model, tokenizer);
  return options;
}

/// Held-out comparisons, and the evaluation of the model on them.
class RewardHeldOut {
 public:
  RewardHeldOut(RewardFlags const& flags, Session& session) : model_(&*session.model) {
    if (flags.eval_data.empty()) return;
    auto dataset = graft::load_reward_dataset(flags.eval_data, session.tokenizer(), data_options(flags, session.tokenizer()));
    std::cerr << dataset.report();
    batches_.emplace(std::move(dataset), graft::BatchOptions{.batch_size = 2, .shuffle = false});
  }
  [[nodiscard]] bool present() const { return batches_.has_value(); }
  [[nodiscard]] graft::RewardEvaluation evaluate() {
    batches_->rewind();
    return graft::evaluate_reward(*model_, batches_->epochs(1));
  }
  void print(std::ostream& out) { graft::print_reward_evaluation(out, evaluate(), batches_->dataset().sources()); }

 private:
  Model* model_;
  std::optional<graft::BatchStream<graft::RewardDataset>> batches_;
};

void run_reward(RewardFlags const& flags, Session& session) {
  graft::require(flags.method == "lora", "reward", "--method must be lora: a reward model is written as a PEFT adapter with its head");
  graft::RewardData data(flags.data, session.tokenizer(), data_options(flags, session.tokenizer()));
  std::cerr << data.report();
  build(session, adapter_of(flags), flags.init_adapter);
  auto& model = *session.model;
  if (!model.score_head()) model.add_score_head({.seed = flags.seed});
  graft::require(model.score_head()->num_labels == 1, "reward", flags.init_adapter, " has a head of ", model.score_head()->num_labels,
                 " scores; a reward is one");
  RewardHeldOut held_out(flags, session);
  model.set_recompute(recompute_of(flags));
  std::filesystem::create_directories(flags.output);

  Trainer trainer{.options = options_of(flags), .metric_columns = {"min_reward", "mean_reward", "max_reward", "accuracy", "margin"}};
  set_option(trainer.options, "loss", flags.loss);
  set_option(trainer.options, "center-rewards-coefficient", flags.center_rewards_coefficient);
  if (held_out.present()) trainer.evaluate = [&] { return held_out.evaluate(); };
  if (flags.loss == "plackett-luce")
    run_training(flags, trainer, model, graft::PlackettLuce{flags.center_rewards_coefficient}, data);
  else
    run_training(flags, trainer, model, graft::BradleyTerry{flags.center_rewards_coefficient}, data);
  save_result(flags, session);
  if (held_out.present()) held_out.print(std::cout);
}

void add_reward_flags(CLI::App& app, RewardFlags& flags) {
  auto const groups = add_training_flags(app, flags);
  groups.optimization->add_option("--loss", flags.loss, "of a ranking of more than two: the mean of its pairs, or of the whole order")
      ->check(CLI::IsMember({"bradley-terry", "plackett-luce"}))->capture_default_str();
  groups.optimization->add_option("--center-rewards-coefficient", flags.center_rewards_coefficient, "draws the rewards of a pair to a mean of zero; 0.01 is usual")
      ->capture_default_str();
}

void add_reward(CLI::App& app) {
  auto const flags = std::make_shared<RewardFlags>();
  auto* command = app.add_subcommand("reward", "a reward model from pairs and rankings of answers");
  add_reward_flags(*command, *flags);
  command->callback([flags] {
    Session session = open_run_session(flags->model, flags->output, flags->resume);
    run_reward(*flags, session);
  });
}

}  // namespace cli
