// SPDX-License-Identifier: Apache-2.0
// graft rlaif: a constitution instead of people. Critiques and revisions, SFT on them, preferences of a judge, then a reward model and PPO,
// or DPO. Sources: Bai et al., "Constitutional AI: Harmlessness from AI feedback", 2022; Lee et al., "RLAIF", 2023.
#include "alignment.hpp"
#include "commands.hpp"
#include "rlaif_records.hpp"

#include <graft/train/statistics.hpp>

#include <iostream>
#include <memory>

namespace cli {

namespace {

struct RlaifFlags : AlignmentFlags {
  FeedbackFlags feedback;
};

/// How often the judge prefers each policy's greedy answers to the base's.
void report_judge(RlaifFlags const& flags, Session& session, std::vector<PolicyEvaluation> const& policies) {
  build_adapted(session, "");
  auto const prompts = read_conversations(flags.eval_data, session, flags.model, flags.ppo.max_length - flags.feedback.max_new_tokens);
  for (std::size_t i = 1; i < policies.size(); ++i) {
    auto const preferred = judge_answers(flags.feedback, session, prompts, policies[i].answers, policies.front().answers);
    auto const interval = graft::bootstrap_mean(preferred);
    std::cout << "the judge prefers " << policies[i].policy << " to the base with P = " << interval.estimate << " [" << interval.low << ", "
              << interval.high << "]\n";
  }
}

void rlaif(RlaifFlags flags) {
  auto& feedback = flags.feedback;
  feedback.seed = flags.seed;
  feedback.max_new_tokens = flags.ppo.rollout.generation.max_new_tokens;
  (void)graft::read_constitution(feedback.constitution);
  if (feedback.judge != "model") (void)graft::named_reward(feedback.judge);
  Session session = open_run_session(flags.model, flags.output, true);
  Stages stages(flags.output, flags.until);
  auto const longest = flags.ppo.max_length - feedback.max_new_tokens;
  auto const revisions = stages.path("revisions.jsonl").string(), preferences = stages.path("preferences.jsonl").string();

  if (feedback.rounds > 0) {
    if (!stages.run("revisions", flags.data, [&](bool) {
          build_adapted(session, "");
          make_revisions(revisions, feedback, session, read_conversations(flags.data, session, flags.model, longest));
        }))
      return;
    if (!sft_stage(flags, session, stages, revisions, "completion")) return;
  }
  if (!stages.run("preferences", flags.data, [&](bool) {
        auto const sft = feedback.rounds > 0 ? stages.path("sft").string() : "";
        build_adapted(session, sft);
        make_preferences(preferences, feedback, session, read_conversations(flags.data, session, flags.model, longest));
      }))
    return;
  if (!reward_stage(flags, session, stages, preferences)) return;
  if (!policy_stage(flags, session, stages, preferences)) return;
  if (flags.eval_data.empty()) return;
  auto const policies = evaluate_alignment(flags, session, stages, preferences, feedback.judge == "model" ? "" : feedback.judge);
  report_policies(policies, stages);
  report_judge(flags, session, policies);
}

}  // namespace

void add_rlaif(CLI::App& app) {
  auto const flags = std::make_shared<RlaifFlags>();
  auto* command = app.add_subcommand("rlaif", "learning by a constitution: critiques, revisions, SFT, AI preferences, then PPO or DPO");
  add_alignment_flags(*command, *flags, "JSONL file of prompts, as messages");
  auto* group = command->add_option_group("feedback");
  auto& feedback = flags->feedback;
  group->add_option("--constitution", feedback.constitution, "JSON file of principles: docs/constitutional.md")->required();
  group->add_option("--rounds", feedback.rounds, "critiques and revisions of an answer; 0: no revisions and no SFT")->check(CLI::NonNegativeNumber)->capture_default_str();
  group->add_flag("--keep-better", feedback.keep_better, "keep a revision only where the judge prefers it to the answer before");
  group->add_option("--judge", feedback.judge, "model: the base itself; or a reward of graft ppo by name, a program that judges")->capture_default_str();
  group->add_option("--judge-scale", feedback.judge_scale, "of a program's rewards in its log-odds")->capture_default_str();
  group->add_flag("--chain-of-thought", feedback.chain_of_thought, "the judge writes its reasons before it chooses");
  group->add_option("--feedback-tokens", feedback.feedback_tokens, "tokens of a critique, revision or reason at most")->check(CLI::PositiveNumber)->capture_default_str();
  group->add_option("--feedback-temperature", feedback.temperature, "at which answers, critiques and revisions are drawn")->capture_default_str();
  group->add_option("--chunk", feedback.chunk, "prompts between two writes of a record file")->check(CLI::PositiveNumber)->capture_default_str();
  command->callback([flags] { rlaif(*flags); });
}

}  // namespace cli
