// SPDX-License-Identifier: Apache-2.0
// A whole PPO iteration against one written in torch, on the same rollout; made by make_ppo.py.
#include <graft/optim/bind.hpp>
#include <graft/train/policy_gradient.hpp>

#include <support/model_fixture.hpp>

using namespace graft;
using namespace graft::test;

TEST_CASE("ppo parity: log-probabilities, values, advantages and three passes of losses and steps equal torch's") {
  Fixture const fixture("llama_tiny");
  auto const file = graft::detail::parse_json_file(fixtures / "loss/ppo_iteration.json", "test");
  using Doubles = std::vector<double>;
  auto const numbers = [&](char const* key) { return file[key].get<Doubles>(); };
  auto model = fixture.model<double>(FullFineTune{});
  model.add_score_head();
  auto const score = numbers("score_weight");
  std::copy(score.begin(), score.end(), model.trainable().params.back().value.data);

  Rollout rollout;
  rollout.temperature = 0.7;
  for (std::size_t s = 0; s < file["ids"].size(); ++s) {
    auto const ids = file["ids"][s].get<std::vector<std::int32_t>>();
    auto const prompt = file["prompts"][s].get<std::size_t>();
    rollout.add(std::span(ids).first(prompt), std::span(ids).subspan(prompt), true, static_cast<Index>(s));
  }
  rollout.rewards = numbers("scores");
  PolicyGradient const spec{.advantages = AdvantageMethod::gae,
                            .loss = {.aggregation = PolicyAggregation::bnpo, .entropy_coef = 0.01},
                            .kl = {.coefficient = 0.05},
                            .gae = {.gamma = 0.97, .lambda = 0.9},
                            .num_iterations = 3,
                            .tokens_per_batch = 12};
  score_for_learning(model, rollout, spec, SharedCritic{});
  rollout.ref_logprobs = numbers("ref_logprobs");
  PolicyRow row;
  compute_advantages(rollout, spec, row);
  CHECK(relative(numbers("logprobs"), rollout.logprobs.data()) <= 1e-12);
  CHECK(relative(numbers("values"), rollout.values.data()) <= 1e-12);
  CHECK(relative(numbers("advantages"), rollout.advantages.data()) <= 1e-11);
  CHECK(relative(numbers("returns"), rollout.returns.data()) <= 1e-12);

  auto optimizer = bind(AdamW{.weight_decay = 0}, model.trainable());
  auto const report = learn_from_rollout(model, optimizer, 1e-3, rollout, spec, 0, SharedCritic{});
  double policy = 0, value = 0, norm = 0, clipped = 0;
  for (auto const& pass : file["passes"]) {
    policy += pass["policy"].get<double>();
    value += pass["value"].get<double>();
    norm += pass["grad_norm"].get<double>();
    clipped += pass["clipfrac"].get<double>();
  }
  CHECK(report.steps == 3);
  CHECK(report.policy_loss == doctest::Approx(policy).epsilon(1e-9));
  CHECK(report.value_loss == doctest::Approx(value).epsilon(1e-9));
  CHECK(report.grad_norm == doctest::Approx(norm).epsilon(1e-9));
  CHECK(report.seen.clipped / report.seen.tokens == doctest::Approx(clipped / 3).epsilon(1e-12));
  auto const after = score_rollout(model, rollout, {.heads = Heads::both});
  CHECK(relative(numbers("logprobs_after"), after.logprobs.data()) <= 1e-8);
  CHECK(relative(numbers("values_after"), after.values.data()) <= 1e-8);
}
