// SPDX-License-Identifier: Apache-2.0
// Policy-gradient losses against TRL's own loss functions, and advantages, GAE and whitening; made by make_policy.py.
#include <graft/loss/policy/advantages.hpp>
#include <graft/loss/policy/gae.hpp>
#include <graft/loss/policy/policy_loss.hpp>
#include <graft/loss/policy/value_loss.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

using namespace graft;
using namespace graft::test;
using nlohmann::json;

namespace {

using Doubles = std::vector<double>;

struct PolicyFixture {
  json file = json::parse(read_file(fixtures / "loss/policy.json"));
  PolicyBatch batch;
  std::vector<TokenStats> stats;

  PolicyFixture() {
    auto const lengths = file["lengths"].get<std::vector<std::int32_t>>();
    auto const logprobs = file["logprobs"].get<Doubles>(), entropies = file["entropies"].get<Doubles>();
    batch.completions = batch.cu_seqlens = {0};
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      batch.completions.push_back(batch.completions.back() + lengths[s]);
      batch.cu_seqlens.push_back(batch.completions.back());
      batch.advantages.insert(batch.advantages.end(), static_cast<std::size_t>(lengths[s]), file["advantages"][s].get<double>());
    }
    for (std::size_t t = 0; t < logprobs.size(); ++t)
      stats.push_back({.target_logprob = logprobs[t], .entropy = entropies[t]});
    batch.rows.resize(stats.size());
    batch.targets.resize(stats.size());
    batch.old_logprobs = file["old_logprobs"].get<Doubles>();
    batch.ref_logprobs = file["ref_logprobs"].get<Doubles>();
  }
};

double largest_difference(Doubles const& expected, Doubles const& actual) {
  REQUIRE(expected.size() == actual.size());
  double worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) worst = std::max(worst, std::abs(expected[i] - actual[i]));
  return worst;
}

PolicyLoss loss_of(json const& entry, Index max_completion_length) {
  static std::map<std::string, PolicyAggregation> const names{{"grpo", PolicyAggregation::grpo}, {"bnpo", PolicyAggregation::bnpo},
                                                              {"dapo", PolicyAggregation::dapo}, {"cispo", PolicyAggregation::dapo},
                                                              {"dr_grpo", PolicyAggregation::dr_grpo}};
  auto const type = entry["loss_type"].get<std::string>();
  return {.aggregation = names.at(type),
          .importance_level = entry.contains("importance_sampling_level") ? ImportanceLevel::sequence : ImportanceLevel::token,
          .objective = type == "cispo" ? PolicyObjective::cispo : PolicyObjective::clip,
          .epsilon = entry.value("epsilon_low", 0.2),
          .epsilon_high = entry.value("epsilon_high", 0.0),
          .delta = entry.value("delta", 0.0),
          .beta = entry.value("beta", 0.0),
          .entropy_coef = entry.value("entropy_coef", 0.0),
          .max_completion_length = max_completion_length};
}

}  // namespace

TEST_CASE("policy parity: every loss type equals GRPOTrainer._compute_loss in value, gradients and metrics") {
  PolicyFixture fixture;
  REQUIRE(fixture.file["cases"].size() == 13);
  for (auto const& entry : fixture.file["cases"]) {
    INFO(entry.dump().substr(0, 160));
    auto batch = fixture.batch;
    batch.weights.assign(fixture.stats.size(), 1);
    for (auto const& s : entry["masked"])
      std::fill(batch.weights.begin() + batch.completions[s.get<std::size_t>()],
                batch.weights.begin() + batch.completions[s.get<std::size_t>() + 1], 0.0f);
    auto const loss = loss_of(entry, fixture.file["max_completion_length"].get<Index>());
    std::vector<TokenStats> gradient(fixture.stats.size(), TokenStats{9, 9, 9, 9});
    PolicyStatistics seen;
    CHECK(loss.evaluate(fixture.stats, batch, gradient, seen).value == doctest::Approx(entry["loss"].get<double>()).epsilon(1e-12));
    Doubles logprob, entropy;
    for (auto const& g : gradient) {
      logprob.push_back(g.target_logprob);
      entropy.push_back(g.entropy);
      CHECK((g.logsumexp == 0 && g.mean_logit == 0));
    }
    CHECK(largest_difference(entry["gradient"].get<Doubles>(), logprob) <= 1e-12);
    CHECK(largest_difference(entry["entropy_gradient"].get<Doubles>(), entropy) <= 1e-12);
    auto const& metrics = entry["metrics"];
    CHECK(seen.entropy / seen.tokens == doctest::Approx(metrics["entropy"].get<double>()).epsilon(1e-12));
    if (metrics.contains("kl")) CHECK(seen.kl / seen.tokens == doctest::Approx(metrics["kl"].get<double>()).epsilon(1e-12));
    if (!metrics.contains("clip_ratio/low_mean") || loss.importance_level != ImportanceLevel::token) continue;
    CHECK(seen.clipped_low / seen.tokens == doctest::Approx(metrics["clip_ratio/low_mean"].get<double>()));
    CHECK(seen.clipped_high / seen.tokens == doctest::Approx(metrics["clip_ratio/high_mean"].get<double>()));
  }
}

TEST_CASE("policy parity: RLOO's loss on whole completions equals RLOOTrainer._compute_loss") {
  PolicyFixture fixture;
  PolicyLoss const loss{.aggregation = PolicyAggregation::grpo, .importance_level = ImportanceLevel::sequence_product};
  std::vector<TokenStats> gradient(fixture.stats.size());
  CHECK(loss(fixture.stats, fixture.batch, gradient).value ==
        doctest::Approx(fixture.file["rloo"]["loss"].get<double>()).epsilon(1e-12));
  Doubles logprob;
  for (auto const& g : gradient) logprob.push_back(g.target_logprob);
  CHECK(largest_difference(fixture.file["rloo"]["gradient"].get<Doubles>(), logprob) <= 1e-12);
}

TEST_CASE("policy parity: PPO's policy and value losses, GAE, whitening, advantages and KL estimators") {
  PolicyFixture fixture;
  auto const& file = fixture.file;
  auto const& gae = file["gae"];
  auto const rewards = gae["rewards"].get<Doubles>(), values = gae["values"].get<Doubles>();
  Doubles advantages(rewards.size()), returns(rewards.size());
  Gae{.gamma = gae["gamma"].get<double>(), .lambda = gae["lambda"].get<double>()}(rewards, values, fixture.batch.completions,
                                                                                 advantages, returns);
  CHECK(largest_difference(gae["advantages"].get<Doubles>(), advantages) <= 1e-12);
  CHECK(largest_difference(gae["returns"].get<Doubles>(), returns) <= 1e-12);

  auto white = advantages;
  whiten(white);
  CHECK(largest_difference(file["whitened"]["all"].get<Doubles>(), white) <= 1e-12);
  white = advantages;
  whiten(white, {}, false);
  CHECK(largest_difference(file["whitened"]["keep_mean"].get<Doubles>(), white) <= 1e-12);
  white = advantages;
  whiten(white, file["whitened"]["mask"].get<std::vector<float>>());
  CHECK(largest_difference(file["whitened"]["masked"].get<Doubles>(), white) <= 1e-12);

  auto const& ppo = file["ppo"];
  auto batch = fixture.batch;
  batch.advantages = advantages;
  batch.returns = returns;
  batch.old_values = ppo["old_values"].get<Doubles>();
  std::vector<TokenStats> gradient(advantages.size());
  CHECK(PolicyLoss{.aggregation = PolicyAggregation::bnpo}(fixture.stats, batch, gradient).value ==
        doctest::Approx(ppo["policy_loss"].get<double>()).epsilon(1e-12));
  Doubles logprob, slope(advantages.size());
  for (auto const& g : gradient) logprob.push_back(g.target_logprob);
  CHECK(largest_difference(ppo["policy_gradient"].get<Doubles>(), logprob) <= 1e-12);
  CHECK(ValueLoss{}(ppo["predictions"].get<Doubles>(), batch, slope).value ==
        doctest::Approx(ppo["value_loss"].get<double>()).epsilon(1e-12));
  CHECK(largest_difference(ppo["value_gradient"].get<Doubles>(), slope) <= 1e-12);

  auto const& groups = file["advantage_cases"];
  auto const scores = groups["rewards"].get<Doubles>();
  Doubles of_group(scores.size());
  auto const samples = groups["samples"].get<Index>();
  for (auto const& [name, scale] : {std::pair{"group", ScaleRewards::group}, {"batch", ScaleRewards::batch}, {"none", ScaleRewards::none}}) {
    CHECK(grpo_advantages(scores, samples, scale, of_group) == 0);
    CHECK(largest_difference(groups[name].get<Doubles>(), of_group) <= 1e-12);
  }
  for (bool const normalize : {false, true}) {
    rloo_advantages(scores, samples, normalize, of_group);
    CHECK(largest_difference(groups[normalize ? "rloo_normalized" : "rloo"].get<Doubles>(), of_group) <= 1e-12);
  }
  for (auto const& [name, estimator] : {std::pair{"k1", KlEstimator::k1}, {"k2", KlEstimator::k2}, {"k3", KlEstimator::k3}}) {
    Doubles kl;
    for (std::size_t t = 0; t < fixture.stats.size(); ++t)
      kl.push_back(kl_estimate(estimator, fixture.stats[t].target_logprob, fixture.batch.ref_logprobs[t]));
    CHECK(largest_difference(file["kl"][name].get<Doubles>(), kl) <= 1e-12);
  }
}
