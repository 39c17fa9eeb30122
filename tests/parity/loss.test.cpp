// SPDX-License-Identifier: Apache-2.0
// Cross entropy against torch and against transformers' LabelSmoother; made by make_losses.py.
#include <graft/loss/cross_entropy.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>
#include <support/loss_check.hpp>

#include <algorithm>
#include <cmath>

using namespace graft;
using namespace graft::test;
using nlohmann::json;

TEST_CASE(
    "loss parity: token statistics, cross entropy and its gradient in the logits equal torch's and transformers'") {
  auto const file = json::parse(read_file(fixtures / "loss/cross_entropy.json"));
  auto const vocabulary = file["vocab"].get<Index>();
  TokenBatch batch;
  Logits logits{vocabulary, {}};
  auto const targets = file["targets"].get<std::vector<std::int32_t>>();
  for (std::size_t row = 0; row < targets.size(); ++row) {
    if (targets[row] == -100) continue;  // graft's batches list the supervised rows instead
    batch.rows.push_back(static_cast<std::int32_t>(row));
    batch.targets.push_back(targets[row]);
    for (double const value : file["logits"][row].get<std::vector<double>>()) logits.values.push_back(value);
  }
  REQUIRE(batch.supervised() == file["supervised_rows"].get<Index>());
  auto const stats = token_stats(logits, batch.targets);
  for (std::size_t n = 0; n < stats.size(); ++n) {
    auto const row = static_cast<std::size_t>(batch.rows[n]);
    auto const& expected = file["token_stats"];
    CHECK(stats[n].target_logprob == doctest::Approx(expected["target_logprob"][row].get<double>()).epsilon(1e-12));
    CHECK(stats[n].logsumexp == doctest::Approx(expected["logsumexp"][row].get<double>()).epsilon(1e-12));
    CHECK(stats[n].mean_logit == doctest::Approx(expected["mean_logit"][row].get<double>()).epsilon(1e-12));
    CHECK(stats[n].entropy == doctest::Approx(expected["entropy"][row].get<double>()).epsilon(1e-12));
    CHECK(stats[n].log_sum_sq_probs == doctest::Approx(expected["log_sum_sq_probs"][row].get<double>()).epsilon(1e-12));
  }

  REQUIRE(file["cases"].size() == 12);
  for (auto const& entry : file["cases"]) {
    INFO(entry["source"].get<std::string>(), " label_smoothing=", entry["label_smoothing"].get<double>(),
         " z_loss=", entry["z_loss"].get<double>());
    CrossEntropy const loss{entry["label_smoothing"].get<double>(), entry["z_loss"].get<double>()};
    std::vector<TokenStats> gradient(stats.size());
    CHECK(loss(stats, batch, gradient).value == doctest::Approx(entry["loss"].get<double>()).scale(0).epsilon(1e-12));

    double worst = 0;
    double largest = 0;
    std::vector<double> row(static_cast<std::size_t>(vocabulary));
    for (std::size_t n = 0; n < stats.size(); ++n) {
      chain_to_logits(logits.row(static_cast<Index>(n)), batch.targets[n], gradient[n], row);
      auto const expected = entry["gradient"][static_cast<std::size_t>(batch.rows[n])].get<std::vector<double>>();
      for (std::size_t v = 0; v < row.size(); ++v) {
        worst = std::max(worst, std::abs(row[v] - expected[v]));
        largest = std::max(largest, std::abs(expected[v]));
      }
    }
    CHECK(worst <= 1e-12 * largest);
  }
}
