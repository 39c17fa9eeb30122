// SPDX-License-Identifier: Apache-2.0
#include "rollout_flags.hpp"

namespace cli {

void add_rollout_flags(CLI::App& app, RolloutFlags& flags, FlagGroups const& groups) {
  auto& sampling = flags.rollout.generation.sampling;
  auto* rollout = app.add_option_group("rollout");
  rollout->add_option("--num-generations", flags.rollout.samples, "completions of each prompt")->check(CLI::PositiveNumber)->capture_default_str();
  rollout->add_option("--max-completion-length", flags.rollout.generation.max_new_tokens, "tokens of a completion at most")
      ->check(CLI::PositiveNumber)->capture_default_str();
  rollout->add_option("--temperature", sampling.temperature, "divides the logits, in drawing and in learning")->capture_default_str();
  rollout->add_option("--top-k", sampling.top_k, "draw from the k most probable tokens only; 0: all")->capture_default_str();
  rollout->add_option("--top-p", sampling.top_p, "draw from the most probable tokens with this mass only")->capture_default_str();
  rollout->add_option("--min-p", sampling.min_p, "draw from tokens with this share of the largest probability only")->capture_default_str();
  rollout->add_option("--missing-eos-penalty", flags.missing_eos_penalty, "taken from the reward of a completion that was cut")->capture_default_str();
  rollout->add_flag("--save-rollouts", flags.save_rollouts, "keep each rollout as OUTPUT/rollouts/rollout-<step>.safetensors");

  auto* reward = app.add_option_group("reward");
  reward->add_option("--reward", flags.rewards,
                     "what a completion is worth: exact_match, json_valid, arithmetic_answer, length_penalty:FREE:LIMIT, "
                     "repetition_penalty[:N]; several are added up")
      ->delimiter(',');
  reward->add_option("--reward-model", flags.reward_models, "PEFT directory of a reward model, from graft reward; on the same base, added to the others")
      ->delimiter(',');
  reward->add_option("--reward-weights", flags.reward_weights, "factor of each --reward, then of each --reward-model; default: 1 each")->delimiter(',');
  reward->add_option("--answer-field", flags.answer_field, "key of a record's expected answer")->capture_default_str();
  reward->add_option("--judge", flags.judge, "another reward, watched and not learnt from: see --judge-window");

  auto* learn = groups.optimization;
  learn->add_option("--tokens-per-batch", flags.tokens_per_batch, "tokens in memory at once; changes rounding only")
      ->check(CLI::PositiveNumber)->capture_default_str();
  learn->add_option("--reference", flags.reference, "initial: the policy as it begins; base: the model without adapter")
      ->check(CLI::IsMember({"initial", "base"}))->capture_default_str();

  auto* guards = app.add_option_group("guards, which end a run; 0: off");
  guards->add_option("--max-kl", flags.guards.max_kl, "objective/kl above it")->capture_default_str();
  guards->add_option("--min-entropy", flags.guards.min_entropy, "entropy of a token below it")->capture_default_str();
  guards->add_option("--max-repetition", flags.guards.max_repetition, "share of repeated 4-grams above it")->capture_default_str();
  guards->add_option("--max-clipped-ratio", flags.guards.max_clipped_ratio, "share of cut completions above it")->capture_default_str();
  guards->add_option("--judge-window", flags.guards.judge_window, "iterations over which the reward rose while the judge's fell")->capture_default_str();
}

RunOptions rollout_options(RolloutFlags const& flags) {
  RunOptions options = options_of(flags);
  auto const set = [&](char const* name, auto const& value) { set_option(options, name, value); };
  auto const& sampling = flags.rollout.generation.sampling;
  std::string rewards;
  for (auto const& name : flags.rewards) rewards += (rewards.empty() ? "" : ",") + name;
  for (double const weight : flags.reward_weights) rewards += " " + std::to_string(weight);
  set("reward", rewards);
  set("reward-model", CLI::detail::join(flags.reward_models, ","));
  set("reference", flags.reference);
  set("answer-field", flags.answer_field);
  set("num-generations", flags.rollout.samples);
  set("max-completion-length", flags.rollout.generation.max_new_tokens);
  set("temperature", sampling.temperature);
  set("top-k", sampling.top_k);
  set("top-p", sampling.top_p);
  set("min-p", sampling.min_p);
  set("missing-eos-penalty", flags.missing_eos_penalty);
  set("tokens-per-batch", flags.tokens_per_batch);
  return options;
}

}  // namespace cli
