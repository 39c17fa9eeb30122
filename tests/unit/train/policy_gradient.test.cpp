// SPDX-License-Identifier: Apache-2.0
// Policies that learn on a tiny model: gradients at a temperature, and problems whose optimum is known.
#include <graft/train/policy_gradient.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/train/reference_policy.hpp>
#include <graft/train/value_and_grad.hpp>

#include <support/gradcheck.hpp>
#include <support/message_of.hpp>
#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

#include <algorithm>


using namespace graft;

namespace {

using Model = Transformer<Llama, double, Reference, Lora>;
using Ids = std::vector<std::int32_t>;

auto const config = test::tiny_config();

/// A policy whose words are long enough for it to become certain of one.
struct Policy {
  explicit Policy(std::uint64_t seed = 1) : model(config, Lora{.rank = 4, .alpha = 8, .seed = seed}, backend, provider()) {}
  WeightProvider provider() {
    return {[this](std::string const& name) {
              HostTensor tensor = weights.get(name);
              if (name.find("embed_tokens") == name.npos) return tensor;
              auto const* values = reinterpret_cast<float const*>(tensor.data);
              auto const longer = std::make_shared<std::vector<float>>(values, values + config.vocab_size * config.hidden_size);
              for (float& value : *longer) value *= 4;
              return HostTensor{tensor.storage, tensor.shape, reinterpret_cast<std::byte const*>(longer->data()), longer};
            },
            [](std::string const&) { return true; }};
  }
  test::RandomWeights weights{config};
  Reference backend;
  Model model;
};

RolloutOptions sampled(Index samples, Index length, std::uint64_t seed, double temperature = 1) {
  return {.samples = samples,
          .generation = {.max_new_tokens = length, .sampling = {.greedy = false, .temperature = temperature, .seed = seed}, .stop_ids = {2}}};
}

/// The policy's probabilities of the first token after `prompt`.
std::vector<double> next_token(Model& model, Ids const& prompt, bool adapters = true) {
  std::vector<double> p;
  for (std::int32_t v = 0; v < config.vocab_size; ++v) {
    TokenBatch batch;
    batch.ids = prompt;
    batch.cu_seqlens = {0, static_cast<std::int32_t>(prompt.size())};
    batch.rows = {static_cast<std::int32_t>(prompt.size()) - 1};
    batch.targets = {v};
    p.push_back(std::exp(model.forward(batch, {.adapters = adapters}).front().target_logprob));
  }
  return p;
}

}  // namespace

TEST_CASE("policy gradient: samples of one prompt share its pass and are what separate prompts draw") {
  Policy policy;
  std::vector<Ids> const prompts{{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {4, 5}, {1}};
  auto const rollout = draw_rollout(policy.model, prompts, sampled(4, 6, 5));
  CHECK(rollout.sequences() == 12);
  rollout.validate();
  std::vector<Ids> repeated;
  for (auto const& prompt : prompts) repeated.insert(repeated.end(), 4, prompt);
  GenerationOptions alone = sampled(4, 6, 5).generation;
  alone.batch = 1;
  auto const expected = generate(policy.model, repeated, alone);
  for (std::size_t s = 0; s < 12; ++s) {
    CHECK(Ids(rollout.completion(s).begin(), rollout.completion(s).end()) == expected[s].ids);
    CHECK(Ids(rollout.prompt(s).begin(), rollout.prompt(s).end()) == prompts[s / 4]);
    CHECK((rollout.finished[s] != 0) == expected[s].stopped);
    CHECK(rollout.records[s] == static_cast<Index>(s / 4));
  }
}

TEST_CASE("policy gradient: log-probabilities are those of the logits over the temperature, however the rollout is cut") {
  Policy policy;
  std::vector<Ids> const prompts{{3, 4, 5}};
  auto rollout = draw_rollout(policy.model, prompts, sampled(3, 5, 5, 0.5));
  auto const whole = score_rollout(policy.model, rollout);
  CHECK(score_rollout(policy.model, rollout, {}, 1).logprobs == whole.logprobs);
  auto const p = next_token(policy.model, prompts[0]);
  double sum = 0;
  for (double const x : p) sum += x * x;  // softmax(l / 0.5) is p² over its sum
  auto const first = static_cast<std::size_t>(rollout.completion(0)[0]);
  CHECK(whole.logprobs[0] == doctest::Approx(std::log(p[first] * p[first] / sum)).epsilon(1e-12));
}

TEST_CASE("policy gradient: a reward model scores the last token of each sequence, however the rollout is cut") {
  Policy policy;
  policy.model.add_score_head({.seed = 3});
  std::vector<Ids> const prompts{{3, 4, 5}, {6}};
  auto const rollout = draw_rollout(policy.model, prompts, sampled(2, 5, 8));
  auto const rewards = reward_model_scores(policy.model, rollout);
  CHECK(reward_model_scores(policy.model, rollout, 1) == rewards);
  REQUIRE(rewards.size() == 4);
  for (std::size_t s = 0; s < 4; ++s) {
    TokenBatch alone;
    alone.ids.assign(rollout.ids.begin() + rollout.cu_seqlens[s], rollout.ids.begin() + rollout.cu_seqlens[s + 1]);
    alone.cu_seqlens = {0, static_cast<std::int32_t>(alone.ids.size())};
    alone.rows = {static_cast<std::int32_t>(alone.ids.size()) - 1};
    (void)policy.model.forward(alone, {.heads = Heads::score});
    CHECK(rewards[s] == doctest::Approx(policy.model.scores()[0]).epsilon(1e-12));
  }
}

TEST_CASE("policy gradient: gradients at a temperature, with entropy, KL and a shared critic equal central differences") {
  Policy policy;
  policy.model.add_score_head({.seed = 3});
  test::disturb(policy.model.trainable().params);
  std::vector<Ids> const prompts{{3, 4, 5}, {6}};
  auto rollout = draw_rollout(policy.model, prompts, sampled(2, 5, 8, 0.7));
  PolicyGradient const spec{.advantages = AdvantageMethod::gae, .loss = {.entropy_coef = 0.05}, .kl = {.coefficient = 0.1},
                            .value_loss = {.coefficient = 0.5}, .num_iterations = 2, .tokens_per_batch = 12};
  score_for_learning(policy.model, rollout, spec, SharedCritic{});
  rollout.rewards = {1, 0, -1, 2};
  PolicyRow row;
  compute_advantages(rollout, spec, row);
  for (double& logprob : rollout.logprobs) logprob -= 0.05;  // as if steps had been made since
  PolicyLoss loss = spec.loss;
  loss.temperature = rollout.temperature;
  loss.beta = 0.1;
  auto const value = [&] {
    PolicyReport report;
    for (auto& step : policy_steps(rollout, spec, 0))
      for (auto& batch : step) accumulate_policy_grad(policy.model, loss, spec, batch, report, SharedCritic{});
    return report.policy_loss + report.value_loss;
  };
  policy.model.trainable().zero_grad();
  (void)value();
  std::vector<std::vector<double>> kept;
  auto params = policy.model.trainable().params;
  for (auto& param : params) kept.emplace_back(param.grad.data, param.grad.data + param.grad.size());
  for (std::size_t i = 0; i < params.size(); ++i) params[i].grad.data = kept[i].data();
  auto const deviation = test::check_gradients(params, value, 3);
  CHECK_MESSAGE(deviation.largest <= 1e-6, deviation.where);
}

TEST_CASE("policy gradient: GRPO raises a verifiable reward, in one step a rollout and in several") {
  for (Index const passes : {1, 2}) {
    Policy policy;
    auto optimizer = bind(AdamW{}, policy.model.trainable());
    PolicyGradient const spec{.loss = {.aggregation = PolicyAggregation::grpo}, .kl = {.coefficient = 0.01}, .num_iterations = passes,
                              .num_mini_batches = passes};
    std::vector<Ids> const prompts{{3, 4, 5}, {6, 7}};
    double first = 0, last = 0;
    for (Index iteration = 0; iteration < 25; ++iteration) {
      auto rollout = draw_rollout(policy.model, prompts, sampled(8, 4, static_cast<std::uint64_t>(iteration)));
      for (std::size_t s = 0; s < 16; ++s) {  // the share of tokens that are 9
        auto const completion = rollout.completion(s);
        rollout.rewards.push_back(static_cast<double>(std::count(completion.begin(), completion.end(), 9)) / 4);
      }
      score_for_learning(policy.model, rollout, spec);
      PolicyRow row;
      compute_advantages(rollout, spec, row);
      auto const report = learn_from_rollout(policy.model, optimizer, 0.02, rollout, spec, iteration);
      report.describe(true, false, row);
      CHECK(report.steps == passes * passes);
      (iteration == 0 ? first : last) = row.reward;
      if (iteration == 0 && passes == 1) {
        CHECK(row.kl == doctest::Approx(0));
        CHECK(row.ratio == 1);
      }
    }
    CHECK(first < 0.2);
    CHECK(last > 0.6);
  }
}

TEST_CASE("policy gradient: PPO with a critic of its own finds the known optimum of reward less KL") {
  // One token a completion: the best policy is π_ref·exp(reward / β), normalised (Rafailov et al. 2023, eq. 4).
  double const beta = 0.3;
  Policy policy(1), critic(2);
  critic.model.add_score_head();
  auto optimizer = bind(AdamW{}, joint_trainable(policy.model, critic.model));
  PolicyGradient const spec{.advantages = AdvantageMethod::gae, .kl = {.coefficient = beta}, .whiten_advantages = false,
                            .num_iterations = 2, .num_mini_batches = 2};
  std::vector<Ids> const prompts{{3, 4, 5}};
  auto const reference = next_token(policy.model, prompts[0], false);
  auto const favourite = std::max_element(reference.begin(), reference.end()) - reference.begin();
  auto const reward = [&](std::int32_t token) { return token == favourite ? 0.0 : token < 15 ? 1.0 : 0.5; };
  std::vector<double> best;
  double sum = 0;
  for (std::int32_t v = 0; v < config.vocab_size; ++v) sum += best.emplace_back(reference[static_cast<std::size_t>(v)] * std::exp(reward(v) / beta));
  auto const objective = [&](std::vector<double> const& p) {
    double value = 0;
    for (std::size_t v = 0; v < p.size(); ++v) value += p[v] * (reward(static_cast<std::int32_t>(v)) - beta * std::log(p[v] / reference[v]));
    return value;
  };
  for (Index iteration = 0; iteration < 60; ++iteration) {
    auto rollout = draw_rollout(policy.model, prompts, sampled(48, 1, static_cast<std::uint64_t>(iteration)));
    for (std::size_t s = 0; s < 48; ++s) rollout.rewards.push_back(reward(rollout.completion(s)[0]));
    SeparateCritic<Model> const separate{&critic.model};
    score_for_learning(policy.model, rollout, spec, separate);
    PolicyRow row;
    compute_advantages(rollout, spec, row);
    (void)learn_from_rollout(policy.model, optimizer, 0.01 / (1 + 0.1 * static_cast<double>(iteration)), rollout, spec, iteration, separate);
  }
  double const optimum = beta * std::log(sum), before = objective(reference), after = objective(next_token(policy.model, prompts[0]));
  CHECK(before < optimum - 0.05);
  CHECK(after <= optimum + 1e-12);
  CHECK((after - before) / (optimum - before) > 0.95);
}

TEST_CASE("policy gradient: the reference is the base, or the adapter that the policy went on from") {
  Policy policy;
  test::disturb(policy.model.trainable().params);
  auto rollout = draw_rollout(policy.model, std::vector<Ids>{{3, 4, 5}}, sampled(2, 4, 5));
  auto const initial = score_rollout(policy.model, rollout).logprobs, base = score_rollout(policy.model, rollout, {.adapters = false}).logprobs;
  ReferencePolicy reference(policy.model, ReferenceKind::initial, false);
  for (auto& param : policy.model.trainable().params)
    for (Index i = 0; i < param.value.size(); ++i) param.value.data[i] *= 1.1;
  auto const now = score_rollout(policy.model, rollout).logprobs;
  PolicyGradient const spec{.kl = {.coefficient = 0.1}, .num_iterations = 2};
  score_for_learning(policy.model, rollout, spec, NoCritic{}, reference);
  CHECK(rollout.ref_logprobs == initial);
  CHECK(rollout.logprobs == now);
  CHECK(initial != now);
  CHECK(initial != base);
  score_for_learning(policy.model, rollout, spec);
  CHECK(rollout.ref_logprobs == base);
}

TEST_CASE("policy gradient: what is asked for in the wrong order or size is refused") {
  Policy policy;
  std::vector<Ids> const prompts{{3, 4, 5}};
  auto rollout = draw_rollout(policy.model, prompts, sampled(2, 3, 1));
  PolicyRow row;
  CHECK(test::message_of([&] { compute_advantages(rollout, {}, row); }) == "[policy] needs a reward for each of 2 completions: got 0");
  rollout.rewards = {0, 1};
  CHECK(test::message_of([&] { compute_advantages(rollout, {.advantages = AdvantageMethod::gae}, row); }).find("needs a critic's values") !=
        std::string::npos);
  compute_advantages(rollout, {}, row);
  auto optimizer = bind(AdamW{}, policy.model.trainable());
  CHECK(test::message_of([&] { (void)learn_from_rollout(policy.model, optimizer, 0.1, rollout, {.num_iterations = 2}, 0); })
            .find("call score_for_learning first") != std::string::npos);
  CHECK(test::message_of([&] { (void)policy_steps(rollout, {.num_mini_batches = 3}, 0); }).find("cannot be cut into 3") != std::string::npos);
}

TEST_CASE("policy gradient: masks, end penalties, whitening and REINFORCE++ act on the advantages as said") {
  Rollout rollout;
  rollout.samples = 2;
  rollout.add(Ids{1}, Ids{3, 4}, true, 0);
  rollout.add(Ids{1}, Ids{3, 4, 5}, false, 0);
  rollout.rewards = {1, 1};
  PolicyRow row;
  compute_advantages(rollout, {.scale_rewards = ScaleRewards::none, .missing_eos_penalty = 1, .mask_truncated_completions = true}, row);
  CHECK(rollout.advantages == std::vector<double>{0.5, 0.5, -0.5, -0.5, -0.5});
  CHECK(rollout.mask == std::vector<float>{1, 1, 0, 0, 0});
  CHECK(row.clipped_ratio == 0.5);
  CHECK(row.mean_length == 2.5);
  rollout.rewards = {2, 0};
  rollout.logprobs = {-1, -1, -1, -1, -1};
  rollout.ref_logprobs = {-1, -2, -1, -1, -1};
  compute_advantages(rollout, {.advantages = AdvantageMethod::reinforce_pp, .kl = {.coefficient = 0.5}}, row);
  std::vector<double> expected{1.5, 1.5, 0, 0, 0};  // the token with the KL of 1 and those before it
  whiten(expected);
  for (std::size_t t = 0; t < 5; ++t) CHECK(rollout.advantages[t] == doctest::Approx(expected[t]));
  CHECK(row.objective_kl == 0.5);
  CHECK(row.non_score_reward == -0.25);
  CHECK(row.rlhf_reward == 0.75);
  compute_advantages(rollout, {.advantages = AdvantageMethod::rloo, .kl = {.coefficient = 0.5}}, row);
  CHECK(rollout.advantages == std::vector<double>{1.5, 1.5, -1.5, -1.5, -1.5});
}
