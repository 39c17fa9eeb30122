// SPDX-License-Identifier: Apache-2.0
#include "alignment.hpp"

#include <graft/train/trainer_state.hpp>

#include <filesystem>

namespace cli {

namespace fs = std::filesystem;

AlignmentFlags::AlignmentFlags() {
  for (TrainingFlags* stage : {static_cast<TrainingFlags*>(&sft), static_cast<TrainingFlags*>(&reward), static_cast<TrainingFlags*>(&ppo),
                               static_cast<TrainingFlags*>(&dpo)})
    stage->save_steps = 10;
  ppo.learning.tokens_per_batch = 1024;
}

void add_alignment_flags(CLI::App& app, AlignmentFlags& flags, char const* what) {
  add_model_flags(app, flags.model);
  app.add_option("--data", flags.data, what)->required();
  app.add_option("--eval-data", flags.eval_data, "held-out records of that kind: the policies answer their prompts");
  app.add_option("--retain-data", flags.retain_data, "JSONL file of text that has nothing to do with the task, whose NLL should stay");
  app.add_option("--output", flags.output, "directory of all stages")->required();
  app.add_option("--method", flags.method, "what learns the preferences at the end")->check(CLI::IsMember({"ppo", "dpo"}))->capture_default_str();
  app.add_option("--until", flags.until, "the last stage to do; the same command without it goes on");
  app.add_option("--seed", flags.seed, "of every stage")->capture_default_str();
  app.require_subcommand(0);  // any number; else the program's "one" is inherited
  auto const stage = [&](char const* name, auto const& add, auto& of_stage) {
    auto* command = app.add_subcommand(name, "flags of this stage, as those of graft " + std::string(name));
    add(*command, of_stage);
    for (char const* common : {"--model", "--backend", "--precision", "--threads", "--chat-format", "--data", "--output", "--init-adapter", "--resume",
                               "--method", "--seed"})
      command->get_option(common)->required(false)->group("");
  };
  stage("sft", add_sft_flags, flags.sft);
  stage("reward", add_reward_flags, flags.reward);
  stage("ppo", add_ppo_flags, flags.ppo);
  stage("dpo", add_dpo_flags, flags.dpo);
}

/// Fills in what the pipeline decides of a trainer's flags, and does the stage.
template <class StageFlags, class F>
static bool trainer_stage(std::string const& name, AlignmentFlags const& flags, StageFlags stage, Session& session, Stages& stages,
                          std::string const& data, F const& train) {
  stage.model = flags.model;
  stage.data = data;
  stage.output = stages.path(name).string();
  stage.method = "lora";
  stage.seed = flags.seed;
  if (name != "sft" && fs::exists(stages.path("sft") / "adapter_model.safetensors")) stage.init_adapter = stages.path("sft").string();
  bool const go_on = stages.run(name, data, [&](bool begun) {
    stage.resume = begun && fs::exists(stage.output) && graft::latest_checkpoint(stage.output).has_value();
    train(stage, session);
  });
  session.model.reset();  // a stage leaves no memory behind
  return go_on;
}

bool sft_stage(AlignmentFlags const& flags, Session& session, Stages& stages, std::string const& data, std::string const& completion_field) {
  auto stage = flags.sft;
  stage.completion_field = completion_field;
  return trainer_stage("sft", flags, stage, session, stages, data, run_sft);
}

bool reward_stage(AlignmentFlags const& flags, Session& session, Stages& stages, std::string const& pairs) {
  return trainer_stage("reward", flags, flags.reward, session, stages, pairs, run_reward);
}

bool policy_stage(AlignmentFlags const& flags, Session& session, Stages& stages, std::string const& pairs) {
  if (flags.method == "dpo") return trainer_stage("dpo", flags, flags.dpo, session, stages, pairs, run_dpo);
  auto stage = flags.ppo;
  stage.reward_models.insert(stage.reward_models.begin(), stages.path("reward").string());
  if (stage.init_critic.empty() && !stage.shared_critic) stage.init_critic = stages.path("reward").string();
  return trainer_stage("ppo", flags, stage, session, stages, flags.data, run_policy);
}

std::vector<PolicyEvaluation> evaluate_alignment(AlignmentFlags const& flags, Session& session, Stages& stages, std::string const& pairs,
                                                 std::string const& judge) {
  EvaluationFlags evaluation{.model = flags.model,
                             .data = flags.eval_data,
                             .retain_data = flags.retain_data,
                             .reference = stages.find("sft") != nullptr ? stages.path("sft").string() : "",
                             .rewards = {},
                             .reward_models = {},
                             .max_length = flags.ppo.max_length,
                             .max_new_tokens = flags.ppo.rollout.generation.max_new_tokens,
                             .seed = flags.seed};
  if (judge.empty())
    evaluation.reward_models = {stages.path("reward").string()};
  else
    evaluation.rewards = {judge};
  std::vector<PolicyEvaluation> policies;
  policies.push_back(evaluate_in_stage("base", evaluation, session, "", stages));
  for (std::string const name : {"sft", "ppo", "dpo"}) {
    if (stages.find(name) == nullptr) {
      if (!stages.finished(name)) continue;
      (void)stages.run(name, name == "dpo" ? pairs : flags.data, [](bool) {});
    }
    policies.push_back(evaluate_in_stage(name, evaluation, session, stages.path(name).string(), stages));
  }
  return policies;
}

}  // namespace cli
