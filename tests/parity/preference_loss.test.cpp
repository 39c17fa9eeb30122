// SPDX-License-Identifier: Apache-2.0
// The losses on preferences against TRL's own functions; made by make_preference_losses.py.
#include <graft/loss/preference/objective_sum.hpp>
#include <graft/loss/preference/dpo.hpp>
#include <graft/loss/preference/bco.hpp>
#include <graft/loss/preference/kto.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>

#include <algorithm>
#include <cmath>
#include <sstream>

using namespace graft;
using namespace graft::test;
using nlohmann::json;

namespace {

/// TRL's padded table of all chosen, then all rejected answers, and the same as a batch of pairs.
struct Case {
  UnpairedBatch batch;
  std::vector<TokenStats> stats;
  std::vector<std::pair<std::size_t, std::size_t>> cells;  // (row, column) of each prediction in the table

  /// `interleaved`: pair by pair; else in the table's order, for answers without a partner.
  Case(json const& file, bool interleaved) {
    auto const prompt = file["prompt"].get<std::size_t>();
    auto const pairs = file["lengths"].size();
    batch.cu_seqlens.push_back(0);
    for (std::size_t i = 0; i < 2 * pairs; ++i) {
      bool const chosen = interleaved ? i % 2 == 0 : i < pairs;
      std::size_t const pair = interleaved ? i / 2 : i % pairs;
      std::size_t const row = chosen ? pair : pairs + pair;
      auto const length = file["lengths"][pair][chosen ? 0 : 1].get<std::size_t>();
      for (std::size_t n = 0; n < length; ++n) {
        std::size_t const column = prompt - 1 + n;
        auto const number = [&](char const* name) { return file[name][row][column].get<double>(); };
        cells.emplace_back(row, column);
        batch.rows.push_back(static_cast<std::int32_t>(batch.rows.size()));
        batch.targets.push_back(0);
        batch.reference_logprobs.push_back(static_cast<float>(number("reference")));
        stats.push_back({.target_logprob = number("policy"), .mean_logit = number("mean_logit"), .entropy = number("entropy"),
                         .log_sum_sq_probs = number("log_sum_sq_probs")});
      }
      batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.rows.size()));
      close_sequence(batch, chosen, static_cast<Index>(length));
    }
  }
};

AnyObjective objective_of(std::string const& name, json const& entry) {
  double const smoothing = entry.value("label_smoothing", 0.0);
  if (name == "sigmoid") return DpoSigmoid{smoothing};
  if (name == "hinge") return DpoHinge{};
  if (name == "ipo") return Ipo{};
  if (name == "exo_pair") return ExoPair{smoothing};
  if (name == "nca_pair") return NcaPair{};
  if (name == "robust") return RobustDpo{smoothing};
  if (name == "bco_pair") return BcoPair{};
  if (name == "sppo_hard") return SppoHard{};
  if (name == "aot") return Aot{smoothing};
  if (name == "aot_unpaired") return AotUnpaired{smoothing};
  if (name == "apo_zero") return ApoZero{};
  if (name == "apo_down") return ApoDown{};
  if (name == "discopop") return DiscoPop{entry["tau"].get<double>()};
  if (name == "sft") return ChosenNll{};
  if (name == "sigmoid_norm") return SigmoidNorm{};
  if (name == "cpo") return Cpo{smoothing, entry["nll_weight"].get<double>()};
  if (name == "simpo") return SimPo{entry["gamma"].get<double>(), smoothing};
  REQUIRE(name == "orpo");
  return Orpo{};
}

Divergence divergence_of(json const& entry) {
  auto const name = entry.value("divergence", "reverse_kl");
  Divergence divergence{.alpha = entry.value("alpha", 0.5)};
  if (name == "forward_kl") divergence.kind = Divergence::Kind::forward_kl;
  if (name == "js_divergence") divergence.kind = Divergence::Kind::js;
  if (name == "alpha_divergence") divergence.kind = Divergence::Kind::alpha;
  return divergence;
}

/// Value, gradient and metrics of one case; the reference's log-probabilities are float here, so 1e-6 and not 1e-12.
template <Loss L>
void compare(L const& loss, Case const& given, json const& expected) {
  std::vector<TokenStats> gradient(given.stats.size());
  auto const report = loss(given.stats, given.batch, gradient);
  CHECK(report.value == doctest::Approx(expected["loss"].get<double>()).epsilon(1e-6));
  double worst = 0, largest = 0;
  for (std::size_t n = 0; n < gradient.size(); ++n) {
    double const theirs = expected["gradient"][given.cells[n].first][given.cells[n].second].get<double>();
    worst = std::max(worst, std::abs(gradient[n].target_logprob - theirs));
    largest = std::max(largest, std::abs(theirs));
  }
  CHECK(worst <= 1e-6 * largest);
  for (auto const& [name, value] : expected["metrics"].items()) {
    INFO(name);
    CHECK(report.metrics[name] == doctest::Approx(value.template get<double>()).epsilon(1e-6));
  }
}

}  // namespace

TEST_CASE("preference loss parity: value, gradient and metrics of every loss equal TRL's") {
  auto const file = json::parse(read_file(fixtures / "loss/preference.json"));
  REQUIRE(file["cases"].size() == 71);
  Case const pairs(file, true);
  for (auto const& entry : file["cases"]) {
    auto const name = entry["loss"].get<std::string>();
    INFO(entry.dump().substr(0, 120));
    if (name == "kto" || name == "apo_zero_unpaired" || name == "bco") {
      Case answers(file, false);
      answers.batch.kl = entry.value("kl", 0.0);
      answers.batch.past_reward = entry.value("past_reward", 0.0);
      answers.batch.past_answers = entry.value("past_answers", 0.0);
      for (std::size_t s = 0; s < answers.batch.preferred.size(); ++s)
        answers.batch.preferred[s] = entry["labels"][s].get<bool>() ? 1 : 0;
      if (name == "bco") {
        compare(Bco{.beta = entry["beta"].get<double>()}, answers, entry["expected"]);
        continue;
      }
      compare(Kto{.beta = entry["beta"].get<double>(),
                  .desirable_weight = entry["desirable_weight"].get<double>(),
                  .undesirable_weight = entry["undesirable_weight"].get<double>(),
                  .reference_point = name == "kto"},
              answers, entry["expected"]);
      continue;
    }
    ObjectiveSum combination;
    std::istringstream names(name);
    for (std::string part; std::getline(names, part, ',');)
      combination.parts.push_back({objective_of(part, entry), entry.contains("weights") ? entry["weights"][combination.parts.size()].get<double>() : 1});
    compare(Dpo<ObjectiveSum>{.beta = entry["beta"].get<double>(),
                             .objective = combination,
                             .divergence = divergence_of(entry),
                             .ld_alpha = entry.value("ld_alpha", 1.0),
                             .use_weighting = entry.value("use_weighting", false)},
            pairs, entry["expected"]);
  }
}
