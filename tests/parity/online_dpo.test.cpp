// SPDX-License-Identifier: Apache-2.0
// An iteration of online DPO against TRL's training step; made by make_online_dpo.py.
#include <graft/loss/preference/objective_sum.hpp>
#include <graft/train/online_dpo.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>

#include <algorithm>
#include <cmath>

using namespace graft;
using namespace graft::test;
using nlohmann::json;

TEST_CASE("online dpo parity: pairs, loss, gradients and metrics equal TRL's") {
  auto const file = json::parse(read_file(fixtures / "loss/online_dpo.json"));
  auto const prompts = file["rewards"].size() / 2;
  Rollout rollout;
  rollout.samples = 2;
  std::vector<std::size_t> row_of;  // of a sequence in TRL's table, which has all first answers before all second ones
  for (std::size_t s = 0; s < 2 * prompts; ++s) {
    std::size_t const row = s / 2 + s % 2 * prompts;
    row_of.push_back(row);
    auto const logprobs = file["logprobs"][row].get<std::vector<double>>();
    auto const reference = file["reference"][row].get<std::vector<double>>();
    rollout.add(std::vector<std::int32_t>{5, 6}, std::vector<std::int32_t>(logprobs.size(), 7), file["finished"][row].get<bool>(), static_cast<Index>(s / 2));
    rollout.rewards.push_back(file["rewards"][row].get<double>());
    rollout.logprobs.insert(rollout.logprobs.end(), logprobs.begin(), logprobs.end());
    rollout.ref_logprobs.insert(rollout.ref_logprobs.end(), reference.begin(), reference.end());
    for (double const logprob : logprobs) rollout.entropies.push_back(-logprob);  // TRL's estimate of the entropy
  }

  REQUIRE(file["cases"].size() == 4);
  for (auto const& entry : file["cases"]) {
    INFO(entry.dump().substr(0, 60));
    auto const& expected = entry["expected"];
    double const beta = entry["beta"].get<double>();
    OnlineDpo spec;
    if (!entry["missing_eos_penalty"].is_null()) spec.missing_eos_penalty = entry["missing_eos_penalty"].get<double>();
    auto const pairs = preferred_pairs(rollout, spec.missing_eos_penalty);
    REQUIRE(pairs.size() == prompts);
    auto const batch = preference_batch(rollout, pairs);
    std::vector<TokenStats> stats;
    std::vector<double> gradient_of_trl;
    for (auto const& [chosen, rejected] : pairs)
      for (std::size_t const s : {chosen, rejected}) {
        for (auto t = static_cast<std::size_t>(rollout.completions[s]); t < static_cast<std::size_t>(rollout.completions[s + 1]); ++t)
          stats.push_back({.target_logprob = rollout.logprobs[t]});
        for (auto const& slope : expected["gradient"][row_of[s]]) gradient_of_trl.push_back(slope.get<double>());
      }
    AnyObjective objective = DpoSigmoid{};
    if (entry["loss_type"] == "ipo") objective = Ipo{.length_normalized = false};
    Dpo<ObjectiveSum> const loss{.beta = beta, .objective = {{{objective, 1}}}};
    std::vector<TokenStats> gradient(stats.size());
    auto const report = loss(stats, batch, gradient);
    CHECK(report.value == doctest::Approx(expected["loss"].get<double>()).epsilon(1e-6));
    double worst = 0, largest = 0;
    for (std::size_t n = 0; n < gradient.size(); ++n) {
      worst = std::max(worst, std::abs(gradient[n].target_logprob - gradient_of_trl[n]));
      largest = std::max(largest, std::abs(gradient_of_trl[n]));
    }
    CHECK(worst <= 1e-6 * largest);

    PolicyRow row;
    describe_pairs(rollout, pairs, beta, spec, report, row);
    PolicyRow::visit(row, [&](char const* name, auto const& value) {
      if (expected["metrics"].contains(name)) row.metrics.add(name, static_cast<double>(value));
    });
    CHECK(expected["metrics"].size() == 14);
    for (auto const& [name, value] : expected["metrics"].items()) {
      INFO(name);
      CHECK(row.metrics[name] == doctest::Approx(value.get<double>()).epsilon(1e-6));
    }
  }
}
