// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/policy/policy_loss.hpp>

#include <doctest/doctest.h>
#include <support/loss_check.hpp>
#include <support/message_of.hpp>

using namespace graft;
using namespace graft::test;

static_assert(Loss<PolicyLoss>);

namespace {

/// Three completions of 3, 1 and 4 tokens, of which one does not count; old log-probabilities near what `stats` say.
PolicyBatch batch_near(std::vector<TokenStats> const& stats, std::vector<std::int32_t> const& targets) {
  Rng rng(8);
  PolicyBatch batch;
  batch.rows.resize(targets.size());
  batch.targets = targets;
  batch.completions = batch.cu_seqlens = {0, 3, 4, 8};
  for (auto const& s : stats) {
    batch.old_logprobs.push_back(s.target_logprob + 0.4 * rng.normal());
    batch.ref_logprobs.push_back(s.target_logprob + 0.5 * rng.normal());
    batch.advantages.push_back(rng.normal());
    batch.old_values.push_back(rng.normal());
    batch.returns.push_back(rng.normal());
  }
  batch.weights = {1, 1, 0, 1, 1, 1, 1, 1};
  return batch;
}

}  // namespace

TEST_CASE("policy: gradients through explicit logits equal central differences for every policy") {
  Rng rng(21);
  auto logits = random_logits(8, 13, rng);
  std::vector<std::int32_t> const targets{3, 0, 12, 5, 5, 7, 1, 9};
  auto const batch = batch_near(token_stats(logits, targets), targets);
  using enum PolicyAggregation;
  for (auto const& loss :
       {PolicyLoss{}, PolicyLoss{.aggregation = grpo, .beta = 0.3}, PolicyLoss{.aggregation = bnpo, .epsilon_high = 0.28, .delta = 1.4},
        PolicyLoss{.aggregation = dr_grpo, .max_completion_length = 9}, PolicyLoss{.entropy_coef = 0.1},
        PolicyLoss{.aggregation = grpo, .importance_level = ImportanceLevel::sequence, .epsilon = 0.5, .beta = 0.2},
        PolicyLoss{.aggregation = grpo, .importance_level = ImportanceLevel::sequence_product, .epsilon = 0.9},
        PolicyLoss{.beta = 0.2, .kl_estimator = KlEstimator::k1}, PolicyLoss{.beta = 0.2, .kl_estimator = KlEstimator::k2}}) {
    auto const check = check_loss(loss, batch, logits);
    CHECK(check.error <= 1e-6);
    CHECK(check.largest > 0.01);
    CHECK(check.written_whole);
    CHECK(check.report.weight == 7);
  }
}

TEST_CASE("policy: cispo's ratio is a constant: its gradient is that of A·log p times it") {
  PolicyBatch batch;
  batch.rows = batch.targets = {0};
  batch.completions = batch.cu_seqlens = {0, 1};
  batch.old_logprobs = {-1.0};
  batch.advantages = {2.0};
  std::vector<TokenStats> const stats{{.target_logprob = -0.5}};
  std::vector<TokenStats> gradient(1);
  CHECK(PolicyLoss{.objective = PolicyObjective::cispo, .epsilon_high = 5}(stats, batch, gradient).value ==
        doctest::Approx(2 * 0.5 * std::exp(0.5)));
  CHECK(gradient[0].target_logprob == doctest::Approx(-2 * std::exp(0.5)));
  CHECK(PolicyLoss{.objective = PolicyObjective::cispo, .epsilon_high = 1.1}(stats, batch, gradient).value ==
        doctest::Approx(2 * 0.5 * 1.1));
}

TEST_CASE("policy: micro-batches with the step's sizes add up to the step for every aggregation") {
  Rng rng(4);
  auto logits = random_logits(8, 13, rng);
  std::vector<std::int32_t> const targets{3, 0, 12, 5, 5, 7, 1, 9};
  auto const stats = token_stats(logits, targets);
  auto whole = batch_near(stats, targets);
  whole.step_sequences = 3;
  whole.step_tokens = 7;
  whole.rollout_tokens = 11;
  auto const cut = [&](std::size_t first, std::size_t last, std::vector<std::int32_t> completions) {
    PolicyBatch piece = whole;
    auto const part = [&](auto& all) { all = {all.begin() + static_cast<Index>(first), all.begin() + static_cast<Index>(last)}; };
    part(piece.rows), part(piece.targets), part(piece.weights), part(piece.old_logprobs), part(piece.ref_logprobs), part(piece.advantages);
    piece.completions = piece.cu_seqlens = std::move(completions);
    return BatchPiece<PolicyBatch>{piece, first};
  };
  std::vector<BatchPiece<PolicyBatch>> const pieces{cut(0, 3, {0, 3}), cut(3, 8, {0, 1, 5})};
  using enum PolicyAggregation;
  for (auto const aggregation : {grpo, bnpo, dapo, dr_grpo})
    for (auto const level : {ImportanceLevel::token, ImportanceLevel::sequence})
      CHECK(accumulation_error(PolicyLoss{.aggregation = aggregation, .importance_level = level, .beta = 0.1, .entropy_coef = 0.05,
                                          .max_completion_length = 5},
                               stats, whole, pieces) <= 1e-14);
}

TEST_CASE("policy: values and batches that make no sense are refused by name") {
  Rng rng(4);
  auto logits = random_logits(8, 13, rng);
  std::vector<std::int32_t> const targets{3, 0, 12, 5, 5, 7, 1, 9};
  auto const stats = token_stats(logits, targets);
  auto const good = batch_near(stats, targets);
  std::vector<TokenStats> gradient(8);
  auto const says = [&](PolicyLoss const& loss, PolicyBatch const& batch) { return message_of([&] { loss(stats, batch, gradient); }); };
  CHECK(says({}, good) == "no error");
  CHECK(says({.epsilon = 1.2}, good).find("epsilon must be in [0, 1)") != std::string::npos);
  CHECK(says({.delta = 1.1}, good).find("delta must be 0 or above 1 + epsilon_high: got 1.1") != std::string::npos);
  CHECK(says({.aggregation = PolicyAggregation::dr_grpo}, good).find("max_completion_length") != std::string::npos);
  auto bad = good;
  bad.ref_logprobs.clear();
  CHECK(says({}, bad) == "no error");
  CHECK(says({.beta = 0.1}, bad).find("beta=0.1 needs ref_logprobs") != std::string::npos);
  bad = good;
  bad.old_logprobs.pop_back();
  CHECK(says({}, bad).find("got 7, 8 and 8") != std::string::npos);
  bad = good;
  bad.completions = {0, 4, 3, 8};
  CHECK(says({}, bad).find("completions must rise from 0 to the 8") != std::string::npos);
}
