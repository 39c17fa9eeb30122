// SPDX-License-Identifier: Apache-2.0
#include "derived_seed.hpp"
#include "policy_flags.hpp"
#include "policy_prompts.hpp"
#include "policy_rewards.hpp"
#include "training_run.hpp"

#include <graft/data/fingerprint.hpp>
#include <graft/data/order.hpp>
#include <graft/io/rollout_file.hpp>
#include <graft/train/reference_policy.hpp>
#include <graft/train/statistics.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>

namespace cli {

namespace fs = std::filesystem;
using graft::Index;
using Clock = std::chrono::steady_clock;

static double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// What a checkpoint of policy and critic holds: both, under one roof.
struct PolicyAndCritic {
  using ScalarType = float;
  graft::Trainable<float, Backend> joint;
  [[nodiscard]] graft::Trainable<float, Backend> const& trainable() const { return joint; }
  [[nodiscard]] Backend& backend() const { return *joint.backend; }
};

/// Rewards of greedy answers to held-out prompts.
struct RewardEvaluation {
  Index step = 0;
  double reward = 0, low = 0, high = 0;  ///< mean with its 95 % interval: Wilson's where rewards are 0 or 1, else bootstrapped
  double mean_length = 0, clipped_ratio = 0, seconds = 0;
  graft::Metrics metrics{};

  template <class Row, class F>
  static void visit(Row& row, F&& f) {
    f("step", row.step);
    f("reward", row.reward);
    f("reward_low", row.low);
    f("reward_high", row.high);
    f("completions/mean_length", row.mean_length);
    f("completions/clipped_ratio", row.clipped_ratio);
    f("seconds", row.seconds);
  }
};

static RewardEvaluation evaluate(Session& session, PolicyPrompts const& held_out, graft::RolloutOptions options, PolicyRewards& reward,
                                 Index step) {
  auto const start = Clock::now();
  options.samples = 1;
  options.generation.batch = 16;
  options.generation.sampling = {};
  auto rollout = graft::draw_rollout(*session.model, held_out.prompts.ids, options);
  auto rewards = reward(rollout, held_out);
  std::erase_if(rewards, [](double r) { return std::isnan(r); });
  graft::PolicyRow row;
  graft::describe_rollout(rollout, row);
  RewardEvaluation result;
  result.step = step;
  result.mean_length = row.mean_length;
  result.clipped_ratio = row.clipped_ratio;
  result.seconds = seconds_since(start);
  if (rewards.empty()) return result;
  bool const binary = std::all_of(rewards.begin(), rewards.end(), [](double r) { return r == 0 || r == 1; });
  auto const interval = binary ? graft::wilson_interval(std::count(rewards.begin(), rewards.end(), 1.0), static_cast<Index>(rewards.size()))
                               : graft::bootstrap_mean(rewards);
  result.reward = interval.estimate;
  result.low = interval.low;
  result.high = interval.high;
  std::cerr << "step " << step << "  held-out reward " << interval.estimate << " [" << interval.low << ", " << interval.high << "] on "
            << rewards.size() << " prompts, greedy\n";
  return result;
}

/// Of all prompts and answers (FNV-1a): a run is not resumed on other data.
static std::uint64_t fingerprint(PolicyPrompts const& prompts) {
  graft::Fingerprint fingerprint;
  for (auto const& line : prompts.records) fingerprint.mix(line);
  return fingerprint.value();
}

template <class Critic>
static void learn(PolicyFlags const& flags, Session& session, Critic const& critic, graft::Trainable<float, Backend> const& trainable,
                  graft::ReferencePolicy<Model>& reference) {
  fs::path const output = flags.output;
  auto& model = *session.model;
  Index const longest = flags.max_length - flags.rollout.generation.max_new_tokens;
  auto const prompts = read_policy_prompts(flags.data, flags.answer_field, session, flags.model, longest);
  std::optional<PolicyPrompts> held_out;
  if (!flags.eval_data.empty()) held_out = read_policy_prompts(flags.eval_data, flags.answer_field, session, flags.model, longest);
  PolicyRewards reward(flags, session);
  graft::Reward const judge = flags.judge.empty() ? graft::Reward{} : graft::named_reward(flags.judge);

  auto optimizer = bind_optimizer(flags, trainable);
  Index const batch = std::min(flags.batch_size, prompts.size()), per_epoch = std::max<Index>(1, prompts.size() / batch);
  Index const total = total_steps(flags, per_epoch);
  graft::NamedSchedule const schedule(flags.schedule, {.peak_lr = flags.learning_rate, .warmup_steps = flags.warmup_steps,
                                                       .total_steps = total, .min_lr = flags.min_learning_rate});
  PolicyAndCritic both{trainable};
  auto learning = flags.learning;
  learning.seed = flags.seed;
  learning.max_grad_norm = flags.max_grad_norm > 0 ? flags.max_grad_norm : std::numeric_limits<double>::infinity();
  learning.loss.max_completion_length = flags.rollout.generation.max_new_tokens;
  auto rollout_options = flags.rollout;
  rollout_options.generation.stop_ids = prompts.prompts.stop_ids;
  rollout_options.generation.sampling.greedy = false;

  graft::TrainerState state;
  state.options = policy_options(flags);
  if (flags.resume) {
    auto const checkpoint = graft::latest_checkpoint(output);
    graft::require(checkpoint.has_value(), "resume", "there is no checkpoint-<step> in ", output.string());
    graft::check_same_options(graft::read_trainer_state(*checkpoint), state.options, *checkpoint);
    state = graft::load_checkpoint(*checkpoint, both, optimizer);
    optimizer.set_steps(static_cast<Index>(state.values.at("optimizer_steps")));
    learning.kl.coefficient = state.values.at("kl_coef");
    graft::require(state.cursor.fingerprint == fingerprint(prompts), "resume", flags.data, " holds other records than when the run began");
    std::cerr << "resuming from " << checkpoint->string() << '\n';
  }
  model.set_dropout(flags.seed, state.dropout_pass);
  constexpr bool separate = !std::is_same_v<Critic, graft::NoCritic> && !std::is_same_v<Critic, graft::SharedCritic>;
  if constexpr (separate) critic.model->set_dropout(flags.seed, static_cast<std::uint64_t>(state.values["critic_dropout_pass"]));
  std::optional<Index> const resume_after = flags.resume ? std::optional(state.step) : std::nullopt;
  fs::path const metrics = flags.metrics.empty() ? output / "metrics.jsonl" : fs::path(flags.metrics);
  graft::RowLog<graft::PolicyRow> log(metrics, resume_after);
  graft::RowLog<RewardEvaluation> evaluations(output / "evaluations.jsonl", resume_after);
  auto rows = graft::read_rows<graft::PolicyRow>(metrics);
  std::cerr << "training " << trainable.elements() << " parameters, " << total << " iterations of " << batch << " prompts x "
            << rollout_options.samples << " completions\n";
  if (held_out && !flags.resume) evaluations.write(evaluate(session, *held_out, rollout_options, reward, 0));

  while (state.step < total) {
    auto const start = Clock::now();
    Index const iteration = state.step, epoch = iteration / per_epoch;
    auto const order = graft::epoch_order(prompts.size(), flags.seed, epoch, !flags.no_shuffle);
    std::vector<std::vector<std::int32_t>> ids;
    std::vector<Index> records;
    for (Index i = 0; i < batch; ++i) {
      records.push_back(order[static_cast<std::size_t>(iteration % per_epoch * batch + i)]);
      ids.push_back(prompts.prompts.ids[static_cast<std::size_t>(records.back())]);
    }
    rollout_options.generation.sampling.seed = derived_seed(flags.seed, 0x726f6c6c6f7574, iteration);
    auto rollout = graft::draw_rollout(model, ids, rollout_options);
    for (auto& record : rollout.records) record = records[static_cast<std::size_t>(record)];
    graft::PolicyRow row;
    row.step = ++state.step;
    row.generation_seconds = seconds_since(start);
    rollout.rewards = reward(rollout, prompts, &row.metrics);
    if (judge) row.judge = graft::detail::scored_moments(rewards_of(rollout, prompts, judge, session.tokenizer())).mean;
    graft::score_for_learning(model, rollout, learning, critic, reference);
    graft::compute_advantages(rollout, learning, row);
    row.learning_rate = schedule(iteration);
    graft::learn_from_rollout(model, optimizer, row.learning_rate, rollout, learning, iteration, critic)
        .describe(!rollout.ref_logprobs.empty(), !rollout.values.empty(), row);
    learning.kl.update(row.objective_kl, rollout.sequences());
    row.seconds = seconds_since(start);
    log.write(row);
    rows.push_back(row);
    if (flags.save_rollouts) {
      fs::create_directories(output / "rollouts");
      graft::save_rollout(output / "rollouts" / ("rollout-" + std::to_string(state.step) + ".safetensors"), rollout);
    }
    std::cerr << "step " << state.step << '/' << total << "  reward " << row.reward << "  loss " << row.loss << "  kl " << row.objective_kl
              << "  entropy " << row.entropy << "  length " << row.mean_length << "  " << row.seconds << " s ("
              << row.generation_seconds << " s drawing)\n";
    auto const alarm = flags.guards.alarm(rows);
    bool const last = state.step == total || alarm;
    if (held_out && (last || (flags.eval_steps > 0 && state.step % flags.eval_steps == 0)))
      evaluations.write(evaluate(session, *held_out, rollout_options, reward, state.step));
    state.dropout_pass = model.pass();
    state.cursor = {flags.seed, epoch, iteration % per_epoch * batch + batch, fingerprint(prompts)};
    state.values = {{"kl_coef", learning.kl.coefficient}, {"optimizer_steps", static_cast<double>(optimizer.steps())}};
    if constexpr (separate) state.values["critic_dropout_pass"] = static_cast<double>(critic.model->pass());
    if (flags.save_steps > 0 && state.step % flags.save_steps == 0) {
      graft::save_checkpoint(output / ("checkpoint-" + std::to_string(state.step)), both, optimizer, state);
      graft::prune_checkpoints(output, flags.save_total_limit, 0);
    }
    if (alarm) {
      std::cerr << "stopping: " << *alarm << '\n';
      break;
    }
  }
  log.finish(graft::peak_rss_bytes());
  graft::save_peft(model, output, flags.model.model);
  std::cerr << "wrote the adapter to " << flags.output << "; peak memory " << graft::format_bytes(static_cast<double>(graft::peak_rss_bytes()))
            << '\n';
}

void run_policy(PolicyFlags const& flags, Session& session) {
  graft::require(flags.method == "lora", "policy", "policy, reference and critic are adapters of one base: --method must be lora");
  auto learning = flags.learning;
  learning.loss.max_completion_length = flags.rollout.generation.max_new_tokens;
  learning.validate();
  fs::create_directories(flags.output);
  auto const adapter = adapter_of(flags);
  graft::require(flags.init_critic.empty() || !flags.shared_critic, "ppo", "--init-critic is for a critic of its own, not for --shared-critic");
  bool const critic = flags.learning.advantages == graft::AdvantageMethod::gae;
  std::optional<Model> separate;
  if (critic && !flags.shared_critic) {
    separate.emplace(flags.init_critic.empty() ? build_model_of(session, adapter, flags.init_adapter) : build_reward_model(session, flags.init_critic));
    if (!separate->score_head()) separate->add_score_head({.seed = flags.seed});
    separate->set_recompute(recompute_of(flags));
    page_activations(flags, *separate);
  }
  build(session, adapter, flags.init_adapter);
  session.model->set_recompute(recompute_of(flags));
  page_activations(flags, *session.model);
  bool const fresh = flags.init_adapter.empty() && flags.modules_to_save.empty() && flags.bias == "none";
  auto const kind = flags.reference == "base" ? graft::ReferenceKind::base : graft::ReferenceKind::initial;
  graft::ReferencePolicy<Model> reference(*session.model, kind, fresh);
  if (critic && flags.shared_critic) session.model->add_score_head({.seed = flags.seed});
  auto const trainable = separate ? graft::joint_trainable(*session.model, *separate) : session.model->trainable();
  if (separate)
    learn(flags, session, graft::SeparateCritic<Model>{&*separate}, trainable, reference);
  else if (critic)
    learn(flags, session, graft::SharedCritic{}, trainable, reference);
  else
    learn(flags, session, graft::NoCritic{}, trainable, reference);
}

}  // namespace cli
