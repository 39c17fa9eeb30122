// SPDX-License-Identifier: Apache-2.0
#include "policy_evaluation.hpp"

#include "policy_rewards.hpp"
#include "record_nll.hpp"

#include <graft/io/atomic_file.hpp>
#include <graft/io/peft_config.hpp>
#include <graft/train/rollouts.hpp>
#include <graft/train/statistics.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <limits>
#include <sstream>

namespace cli {

using graft::Index;

static graft::Selected adapter_in(std::string const& directory) {
  if (directory.empty()) return {};
  return {graft::Method::lora, graft::read_peft_config(directory)};
}

/// Mean over answers of Σ log π - log π_ref, on answers that the session's model draws.
static double kl_to_reference(EvaluationFlags const& flags, Session& session, PolicyPrompts const& prompts, graft::RolloutOptions options) {
  options.generation.sampling = {.greedy = false, .seed = flags.seed};
  auto const rollout = graft::draw_rollout(*session.model, prompts.prompts.ids, options);
  auto reference = build_model_of(session, adapter_in(flags.reference), flags.reference);
  constexpr Index tokens = 1024;
  auto const policy = graft::score_rollout(*session.model, rollout, {}, tokens).logprobs;
  auto const other = graft::score_rollout(reference, rollout, {}, tokens).logprobs;
  double sum = 0;
  for (std::size_t t = 0; t < policy.size(); ++t) sum += policy[t] - other[t];
  return sum / static_cast<double>(rollout.sequences());
}

PolicyEvaluation evaluate_policy(std::string const& name, EvaluationFlags const& flags, Session& session, std::string const& adapter,
                                 std::filesystem::path const& answers) {
  PolicyEvaluation result{.policy = name, .nll = std::numeric_limits<double>::quiet_NaN()};
  build_adapted(session, adapter);
  auto const prompts = read_policy_prompts(flags.data, "answer", session, flags.model, flags.max_length - flags.max_new_tokens);
  graft::RolloutOptions options{.samples = 1, .generation = {.max_new_tokens = flags.max_new_tokens, .stop_ids = prompts.prompts.stop_ids, .batch = 16}};
  auto const rollout = graft::draw_rollout(*session.model, prompts.prompts.ids, options);
  RolloutFlags rewards;
  rewards.rewards = flags.rewards;
  rewards.reward_models = flags.reward_models;
  rewards.tokens_per_batch = 1024;
  auto const scores = PolicyRewards(rewards, session)(rollout, prompts);
  result.rewards = scores;
  auto const interval = graft::bootstrap_mean(scores);
  result.prompts = prompts.size();
  result.reward = interval.estimate;
  result.low = interval.low;
  result.high = interval.high;
  std::string lines;
  for (std::size_t s = 0; s < scores.size(); ++s) {
    auto const ids = rollout.completion(s);
    result.answers.push_back(answer_text(session.tokenizer(), {ids.begin(), ids.end()}, prompts.prompts.stop_ids));
    result.mean_length += static_cast<double>(ids.size()) / static_cast<double>(scores.size());
    nlohmann::ordered_json const line{{"prompt", prompts.texts[s]}, {"completion", result.answers.back()}, {"reward", scores[s]}};
    lines += line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  graft::write_atomically(answers, lines);
  result.kl = adapter == flags.reference ? 0 : kl_to_reference(flags, session, prompts, options);
  if (!flags.retain_data.empty())
    result.nll = record_nll(session, flags.model, {.data = flags.retain_data, .max_length = flags.max_length, .tokens_per_batch = 1024}, true).nll_per_token();
  session.model.reset();
  return result;
}

/// A number as JSON holds it, where NaN (a judge that could not score) is null.
static double number_of(nlohmann::json const& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

static nlohmann::ordered_json json_of(PolicyEvaluation const& e) {
  nlohmann::ordered_json json{{"policy", e.policy}, {"prompts", e.prompts}, {"reward", e.reward}, {"reward_low", e.low}, {"reward_high", e.high},
                              {"kl", e.kl}, {"nll", e.nll}, {"mean_length", e.mean_length}};
  for (auto& value : json)
    if (value.is_number_float() && !std::isfinite(value.get<double>())) value = nullptr;
  return json;
}

PolicyEvaluation evaluate_in_stage(std::string const& name, EvaluationFlags const& flags, Session& session, std::string const& adapter, Stages& stages) {
  auto const file = stages.path("evaluation-" + name + ".json"), answers = stages.path("answers-" + name + ".jsonl");
  (void)stages.run("evaluate-" + name, flags.data, [&](bool) {
    auto const evaluation = evaluate_policy(name, flags, session, adapter, answers);
    graft::write_atomically(file, json_of(evaluation).dump(2) + "\n");
  });
  std::ifstream stream(file);
  auto const json = nlohmann::json::parse(stream, nullptr, false);
  graft::require(json.is_object() && json.contains("reward"), "stage", file.string(), " is no evaluation");
  PolicyEvaluation e{.policy = name, .prompts = json["prompts"], .reward = number_of(json["reward"]), .low = number_of(json["reward_low"]),
                     .high = number_of(json["reward_high"]), .kl = number_of(json["kl"]), .nll = number_of(json["nll"]), .mean_length = json["mean_length"]};
  std::ifstream kept(answers);
  for (std::string line; std::getline(kept, line);) {
    auto const answer = nlohmann::json::parse(line);
    e.answers.push_back(answer["completion"]);
    e.rewards.push_back(number_of(answer["reward"]));
  }
  return e;
}

/// What the gain of a policy is over: the policy it began as.
static PolicyEvaluation const* origin_of(PolicyEvaluation const& e, std::vector<PolicyEvaluation> const& policies) {
  if (&e == &policies.front()) return nullptr;
  auto const sft = std::find_if(policies.begin(), policies.end(), [](auto const& other) { return other.policy == "sft"; });
  return sft == policies.end() || &*sft == &e ? &policies.front() : &*sft;
}

void report_policies(std::vector<PolicyEvaluation> const& policies, Stages const& stages) {
  auto report = nlohmann::ordered_json{{"policies", nlohmann::ordered_json::array()}, {"stages", nlohmann::ordered_json::array()}};
  std::ostringstream table;
  table << std::fixed << "policy   held-out reward [95 %]          gain [95 %] over                KL      NLL  tokens   seconds  peak memory\n";
  auto const number = [&](double value, int width, int digits) {
    table << std::setw(width) << std::setprecision(digits);
    if (std::isnan(value)) table << "-"; else table << value;
  };
  for (auto const& e : policies) {
    auto json = json_of(e);
    table << std::left << std::setw(8) << e.policy << std::right;
    number(e.reward, 8, 3);
    table << " [" << std::setprecision(3) << e.low << ", " << e.high << "]";
    std::string gain;
    if (auto const* origin = origin_of(e, policies)) {
      auto const difference = graft::paired_bootstrap(origin->rewards, e.rewards);
      json.update({{"gain", difference.estimate}, {"gain_low", difference.low}, {"gain_high", difference.high}, {"gain_over", origin->policy}});
      std::ostringstream text;
      text << std::fixed << std::setprecision(3) << std::showpos << difference.estimate << " [" << difference.low << ", " << difference.high << "] " << origin->policy;
      gain = text.str();
    }
    report["policies"].push_back(json);
    table << "  " << std::left << std::setw(28) << gain << std::right;
    number(e.kl, 8, 2);
    number(e.nll, 9, 4);
    number(e.mean_length, 8, 1);
    if (auto const* stage = stages.find(e.policy)) {
      number(stage->seconds, 10, 1);
      table << (stage->resumed ? "+ " : "  ") << std::setprecision(0) << std::setw(8) << static_cast<double>(stage->peak_bytes) / 1e6 << " MB";
    }
    table << '\n';
  }
  for (auto const& stage : stages.done())
    report["stages"].push_back({{"stage", stage.name}, {"seconds", stage.seconds}, {"peak_bytes", stage.peak_bytes}, {"resumed", stage.resumed}});
  graft::write_atomically(stages.path("report.json"), report.dump(2) + "\n");
  std::cout << table.str();
}

}  // namespace cli
