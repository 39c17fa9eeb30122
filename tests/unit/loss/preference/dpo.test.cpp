// SPDX-License-Identifier: Apache-2.0
#include <graft/loss/preference/dpo.hpp>

#include <doctest/doctest.h>
#include <graft/loss/preference/objective_sum.hpp>
#include <support/message_of.hpp>
#include <support/preference_case.hpp>

#include <string>

using namespace graft;
using namespace graft::test;

namespace {

std::vector<std::pair<Index, Index>> const lengths{{3, 5}, {1, 4}, {6, 2}};

std::vector<AnyObjective> objectives() {
  return {DpoSigmoid{}, DpoSigmoid{.label_smoothing = 0.2}, DpoHinge{}, Ipo{}, ExoPair{.label_smoothing = 0.1}, NcaPair{},
          RobustDpo{.label_smoothing = 0.2}, BcoPair{}, SppoHard{}, Aot{.label_smoothing = 0.1}, AotUnpaired{}, ApoZero{}, ApoDown{},
          DiscoPop{.tau = 0.3}, ChosenNll{}, SigmoidNorm{}, Orpo{}, SimPo{.gamma = 0.4}, Cpo{.label_smoothing = 0.1, .nll_weight = 0.7}};
}

/// A loss whose WPO weights stay what they are for the given statistics, whatever it is asked about.
struct HeldWeights {
  using Batch = PreferenceBatch;
  Dpo<ObjectiveSum> loss;
  std::vector<TokenStats> at;

  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const {
    std::vector<TokenStats> held(stats.begin(), stats.end());
    for (std::size_t n = 0; n < held.size(); ++n)
      held[n].log_sum_sq_probs = held[n].target_logprob - at[n].target_logprob + at[n].log_sum_sq_probs;
    return loss(held, batch, gradient);
  }
};

}  // namespace

TEST_CASE("dpo: gradients of every objective through explicit logits equal central differences") {
  Rng rng(17);
  auto const batch = preference_batch(lengths, 7, rng);
  auto const logits = random_logits(batch.supervised(), 7, rng, 1);
  for (auto const& objective : objectives()) {
    INFO("objective ", objective.index());
    for (double const ld_alpha : {1.0, 0.4}) {
      Dpo<ObjectiveSum> const loss{.beta = 0.3, .objective = {{{objective, 1.5}}}, .ld_alpha = ld_alpha};
      auto const check = check_loss(loss, batch, logits);
      CHECK(check.error <= 1e-6);
      CHECK(check.largest > 1e-3);
      CHECK(check.written_whole);
    }
  }
  for (auto const kind : {Divergence::Kind::forward_kl, Divergence::Kind::js, Divergence::Kind::alpha}) {
    auto const check = check_loss(Dpo<>{.beta = 0.3, .divergence = {.kind = kind, .alpha = 0.3}}, batch, logits);
    CHECK(check.error <= 1e-6);
    CHECK(check.largest > 1e-3);
  }
  CHECK(check_loss(Dpo<>{.beta = 0.3, .reference_free = true}, batch, logits).error <= 1e-6);
}

TEST_CASE("dpo: a policy that is its reference costs log 2, has no reward, and its gradient pulls the answers apart") {
  Rng rng(3);
  auto batch = preference_batch({{2, 3}}, 7, rng);
  std::vector<TokenStats> stats(5);
  for (std::size_t n = 0; n < stats.size(); ++n) stats[n].target_logprob = double{batch.reference_logprobs[n]};
  std::vector<TokenStats> gradient(5);
  auto const report = Dpo<>{.beta = 0.5}(stats, batch, gradient);
  CHECK(report.value == doctest::Approx(std::log(2.0)).epsilon(1e-14));
  CHECK(report.metrics["rewards/chosen"] == 0);
  CHECK(report.metrics["rewards/accuracies"] == 0);
  for (std::size_t n = 0; n < 5; ++n) CHECK(gradient[n].target_logprob == doctest::Approx(n < 2 ? -0.25 : 0.25));
}

TEST_CASE("dpo: WPO's weights multiply what a pair costs, and no gradient runs through them") {
  Rng rng(19);
  auto const batch = preference_batch(lengths, 7, rng);
  auto logits = random_logits(batch.supervised(), 7, rng, 1);
  auto const stats = token_stats(logits, batch.targets);
  for (auto const& objective : objectives()) {
    INFO("objective ", objective.index());
    Dpo<ObjectiveSum> loss{.beta = 0.3, .objective = {{{objective, 1.5}, {DpoSigmoid{}, 0.5}}}, .ld_alpha = 0.4, .use_weighting = true};
    if (std::holds_alternative<Aot>(objective) || std::holds_alternative<AotUnpaired>(objective)) {
      std::vector<TokenStats> gradient(stats.size());
      CHECK(message_of([&] { (void)loss(stats, batch, gradient); }).starts_with("[dpo] use_weighting gives each pair a weight"));
      continue;
    }
    auto const check = check_loss(HeldWeights{loss, stats}, batch, logits);
    CHECK(check.error <= 1e-6);
    CHECK(check.largest > 1e-3);
    CHECK(check.written_whole);
  }
  CHECK(Dpo<>{.use_weighting = true}.needs_sum_sq_probs());
  CHECK_FALSE(Dpo<>{}.needs_sum_sq_probs());

  // One pair: value and gradient are those without weights, times exp(mean⁺ + mean⁻).
  auto const pair = preference_batch({{2, 3}}, 7, rng);
  auto few = random_logits(5, 7, rng, 1);
  auto const seen = token_stats(few, pair.targets);
  double exponent = 0;
  for (std::size_t n = 0; n < 5; ++n) exponent += (seen[n].target_logprob - seen[n].log_sum_sq_probs) / (n < 2 ? 2 : 3);
  std::vector<TokenStats> plain(5), weighted(5);
  double const value = Dpo<>{}(seen, pair, plain).value;
  CHECK(Dpo<>{.use_weighting = true}(seen, pair, weighted).value == doctest::Approx(std::exp(exponent) * value).epsilon(1e-14));
  for (std::size_t n = 0; n < 5; ++n)
    CHECK(weighted[n].target_logprob == doctest::Approx(std::exp(exponent) * plain[n].target_logprob).epsilon(1e-14));
}

TEST_CASE("dpo: micro-batches that carry the step's counts add up to the whole step") {
  Rng rng(5);
  auto const whole = preference_batch(lengths, 7, rng);
  auto logits = random_logits(whole.supervised(), 7, rng, 1);
  auto const stats = token_stats(logits, whole.targets);
  for (auto const& objective : objectives()) {
    if (std::holds_alternative<Aot>(objective) || std::holds_alternative<AotUnpaired>(objective)) continue;
    INFO("objective ", objective.index());
    std::vector<BatchPiece<PreferenceBatch>> pieces;
    for (Index p = 0; p < whole.pairs(); ++p) {
      auto const first = static_cast<std::size_t>(whole.cu_predictions[static_cast<std::size_t>(2 * p)]);
      PreferenceBatch piece;
      piece.cu_seqlens.push_back(0);
      for (std::size_t const s : {static_cast<std::size_t>(2 * p), static_cast<std::size_t>(2 * p + 1)}) {
        for (auto n = static_cast<std::size_t>(whole.cu_predictions[s]); n < static_cast<std::size_t>(whole.cu_predictions[s + 1]); ++n) {
          piece.rows.push_back(whole.rows[n]);
          piece.targets.push_back(whole.targets[n]);
          piece.reference_logprobs.push_back(whole.reference_logprobs[n]);
        }
        piece.cu_seqlens.push_back(piece.cu_seqlens.back() + whole.cu_seqlens[s + 1] - whole.cu_seqlens[s]);
        close_sequence(piece, whole.preferred[s] == 1, whole.completion_tokens[s]);
      }
      piece.normalizer = 3;
      piece.chosen_tokens = 10;
      pieces.push_back({piece, first});
    }
    CHECK(accumulation_error(Dpo<ObjectiveSum>{.beta = 0.3, .objective = {{{objective, 1}}}}, stats, whole, pieces) <= 1e-13);
  }
}

TEST_CASE("dpo: parameters and batches that make no sense are refused by name") {
  Rng rng(1);
  auto const good = preference_batch({{2, 3}}, 7, rng);
  std::vector<TokenStats> const stats(5);
  std::vector<TokenStats> gradient(5);
  auto const says = [&](auto const& loss, PreferenceBatch const& batch) { return message_of([&] { (void)loss(stats, batch, gradient); }); };
  CHECK(says(Dpo<>{.beta = 0}, good) == "[dpo] beta must be positive: got 0");
  CHECK(says(Dpo<>{.ld_alpha = 2}, good) == "[dpo] ld_alpha must be in [0, 1]: got 2");
  CHECK(says(Dpo<>{.objective = {.label_smoothing = 0.5}}, good) == "[dpo] label_smoothing must be in [0, 0.5): got 0.5");
  CHECK(says(Dpo<ExoPair>{.objective = {.label_smoothing = 0}}, good).starts_with("[exo_pair] label_smoothing must be in (0, 0.5)"));
  CHECK(says(Dpo<DiscoPop>{.objective = {.tau = 0}}, good) == "[discopop] tau must be positive: got 0");
  CHECK(says(Dpo<ObjectiveSum>{}, good) == "[objectives] must have at least one objective: got none");
  auto bad = good;
  bad.reference_logprobs.clear();
  CHECK(says(Dpo<>{}, bad).starts_with("[dpo] the batch has no log-probabilities of the reference"));
  CHECK_NOTHROW((void)Dpo<SimPo>{}(stats, bad, gradient));
  bad = good;
  bad.reference_logprobs.pop_back();
  CHECK(says(Dpo<>{}, bad) == "[dpo] the reference must have a log-probability for each of 5 predictions: got 4");
  bad = good;
  bad.preferred = {0, 1};
  CHECK(says(Dpo<>{}, bad) == "[dpo] sequence 0 must be the chosen answer of its pair");
  bad = good;
  bad.cu_predictions = {0, 2, 4};
  CHECK(says(Dpo<>{}, bad).find("must divide the 5 predictions among 2 sequences") != std::string::npos);
}
