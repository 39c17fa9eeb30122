// SPDX-License-Identifier: Apache-2.0
#include <graft/train/online_dpo.hpp>

#include <doctest/doctest.h>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/train/rollouts.hpp>
#include <support/message_of.hpp>
#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace graft;
using namespace graft::test;

namespace {

using Model = Transformer<Llama, double, Reference, Lora>;
using Ids = std::vector<std::int32_t>;

auto const config = tiny_config();

Rollout drawn(Model& model, Index samples, std::uint64_t seed, double temperature = 1) {
  std::vector<Ids> const prompts{{3, 4, 5}, {6, 7}};
  auto rollout = draw_rollout(model, prompts, {.samples = samples, .generation = {.max_new_tokens = 4,
                              .sampling = {.greedy = false, .temperature = temperature, .seed = seed}, .stop_ids = {2}}});
  for (std::size_t s = 0; s < static_cast<std::size_t>(rollout.sequences()); ++s) {  // the share of tokens that are even
    auto const completion = rollout.completion(s);
    rollout.rewards.push_back(static_cast<double>(std::ranges::count_if(completion, [](auto id) { return id % 2 == 0; })) /
                              static_cast<double>(completion.size()));
  }
  score_for_pairs(model, rollout);
  return rollout;
}

}  // namespace

TEST_CASE("online_dpo: of each prompt the best and the worst completion are a pair, unless all are worth the same") {
  Rollout rollout;
  rollout.samples = 3;
  for (Index i = 0; i < 9; ++i) rollout.add(Ids{1, 2, static_cast<std::int32_t>(i / 3)}, Ids{3, 4}, i % 3 != 2, i / 3);
  double const none = std::numeric_limits<double>::quiet_NaN();
  rollout.rewards = {1, 0, 2, 5, 5, 5, none, 3, 1};
  CHECK(preferred_pairs(rollout) == std::vector<OnlinePair>{{2, 1}, {7, 8}});
  CHECK(preferred_pairs(rollout, 3) == std::vector<OnlinePair>{{0, 2}, {3, 5}, {7, 8}});
  rollout.ref_logprobs.assign(18, -1);
  auto const batch = preference_batch(rollout, preferred_pairs(rollout));
  CHECK(batch.ids == Ids{1, 2, 0, 3, 4, 0, 3, 4, 1, 2, 2, 3, 4, 2, 3, 4});
  CHECK(batch.prefix_tokens == Ids{0, 2, 0, 2});
  CHECK(batch.records == std::vector<Index>{2, 1, 7, 8});
  CHECK(batch.reference_logprobs.size() == batch.rows.size());
  rollout.rewards.pop_back();
  CHECK(message_of([&] { (void)preferred_pairs(rollout); }) == "[online_dpo] needs a reward for each of 9 completions: got 8");
  rollout.samples = 1;
  CHECK(message_of([&] { (void)preferred_pairs(rollout); }) == "[online_dpo] needs two samples or more of each prompt: got 1");
}

TEST_CASE("online_dpo: a row tells of all that was drawn, and of the loss where there was a pair") {
  Rollout rollout;
  rollout.samples = 2;
  for (Index i = 0; i < 4; ++i) rollout.add(Ids{1, 2}, Ids{3, 4, 5}, i != 1, i / 2);
  rollout.rewards = {4, 3, 7, 7};
  rollout.logprobs.assign(12, -1);
  rollout.ref_logprobs.assign(12, -1.5);
  rollout.entropies.assign(12, 2);
  OnlineDpo const spec{.missing_eos_penalty = 2};
  auto const pairs = preferred_pairs(rollout, spec.missing_eos_penalty);
  REQUIRE(pairs == std::vector<OnlinePair>{{0, 1}});
  LossReport report{.value = 0.6};
  report.metrics.add("rewards/margins", 5);
  report.metrics.add("entropy", 9);
  report.metrics.add("grad_norm", 3);
  PolicyRow row;
  describe_pairs(rollout, pairs, 0.1, spec, report, row);
  CHECK(row.reward == 5.25);
  CHECK(row.loss == 0.6);
  CHECK(row.grad_norm == 3);
  CHECK(row.objective_kl == doctest::Approx(1.5));
  CHECK(row.objective_entropy == doctest::Approx(6));
  CHECK(row.entropy == doctest::Approx(2));
  CHECK(row.frac_reward_zero_std == 0.5);
  CHECK(row.rlhf_reward == doctest::Approx(4.75 - 0.15));
  CHECK(row.metrics["objective/scores"] == 4.75);
  CHECK(row.metrics["objective/scores_margin"] == 1.5);  // 3 and 0
  CHECK(row.metrics["val/contain_eos_token"] == 0.75);
  CHECK(row.metrics["rewards/margins"] == 5);
  PolicyRow nothing;
  describe_pairs(rollout, {}, 0.1, spec, {}, nothing);
  CHECK(std::isnan(nothing.loss));
  CHECK(nothing.metrics["objective/scores_margin"] == 0);
  CHECK(std::isnan(nothing.metrics["rewards/margins"]));
}

TEST_CASE("online_dpo: a step is that of DPO's loss on the pairs, at the rollout's temperature and however it is cut") {
  RandomWeights weights{config};
  Reference backend;
  Model model(config, Lora{.rank = 2}, backend, weights.provider());
  disturb(model.trainable().params, 0.1);
  auto const rollout = drawn(model, 4, 3, 0.7);
  auto const pairs = preferred_pairs(rollout);
  REQUIRE(pairs.size() == 2);
  Dpo<> const loss{.beta = 0.3};
  auto const value = [&] {
    auto const batch = preference_batch(rollout, pairs);
    auto const stats = model.forward(batch, {.temperature = 0.7});
    return loss(stats, batch, model.token_gradient()).value;
  };
  double const before = value();
  auto& params = model.trainable().params;
  std::vector<double> const first(params[0].value.data, params[0].value.data + params[0].value.size());
  for (Index const tokens : {1, 4096}) {
    std::copy(first.begin(), first.end(), params[0].value.data);
    auto optimizer = bind(Sgd{}, model.trainable());
    auto const report = learn_from_pairs(model, optimizer, 0, rollout, pairs, loss, {.tokens_per_batch = tokens, .max_grad_norm = 1e9});
    CHECK(report.value == doctest::Approx(before).epsilon(1e-12));
    auto const check = check_gradients(params, value, 3);
    CHECK_MESSAGE(check.largest <= 1e-6, check.where, " deviates by ", check.largest);
  }
  auto optimizer = bind(Sgd{}, model.trainable());
  CHECK(learn_from_pairs(model, optimizer, 0.1, rollout, {}, loss).weight == 0);
}

TEST_CASE("online_dpo: the reward of what the policy draws rises") {
  RandomWeights weights{config};
  Reference backend;
  Model model(config, Lora{.rank = 4, .alpha = 8}, backend, weights.provider());
  auto optimizer = bind(AdamW{}, model.trainable());
  double first = 0, last = 0;
  for (Index iteration = 0; iteration < 60; ++iteration) {
    auto const rollout = drawn(model, 8, static_cast<std::uint64_t>(iteration));
    double reward = 0;
    for (double const r : rollout.rewards) reward += r / 16;
    if (iteration < 3) first += reward / 3;
    if (iteration >= 57) last += reward / 3;
    auto const pairs = preferred_pairs(rollout);
    (void)learn_from_pairs(model, optimizer, 0.03, rollout, pairs, Dpo<>{.beta = 0.05});
  }
  CHECK(last > first + 0.2);
}
