// SPDX-License-Identifier: Apache-2.0
// Reward losses and reward data against TRL's RewardTrainer; made by make_reward.py.
#include <graft/data/reward_data.hpp>
#include <graft/io/hf_tokenizer.hpp>
#include <graft/loss/reward/bradley_terry.hpp>
#include <graft/loss/reward/plackett_luce.hpp>
#include <graft/loss/reward/reward_statistics.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>
#include <support/score_loss_check.hpp>

#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;
using nlohmann::json;

namespace {

/// Largest |a - b| over the largest |b|.
double deviation(std::vector<double> const& a, std::vector<double> const& b) {
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    worst = std::max(worst, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("reward parity: loss, gradients and metrics of pairs equal those of TRL's RewardTrainer") {
  auto const file = json::parse(read_file(fixtures / "reward/losses.json"));
  REQUIRE(file["pairs"].size() == 6);
  for (json const& entry : file["pairs"]) {
    auto const chosen = entry["chosen"].get<std::vector<double>>(), rejected = entry["rejected"].get<std::vector<double>>();
    std::vector<double> scores, expected;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      scores.insert(scores.end(), {chosen[i], rejected[i]});
      expected.insert(expected.end(), {entry["chosen_gradient"][i].get<double>(), entry["rejected_gradient"][i].get<double>()});
    }
    std::vector<float> margins;
    if (!entry["margins"].is_null()) margins = entry["margins"].get<std::vector<float>>();
    auto const batch = reward_batch(std::vector<std::vector<int>>(chosen.size(), {0, 1}), margins);
    std::vector<double> gradient(scores.size());
    BradleyTerry const loss{.center_rewards_coefficient = entry["center_rewards_coefficient"].get<double>()};
    CHECK(loss(scores, batch, gradient).value == doctest::Approx(entry["loss"].get<double>()).epsilon(1e-12));
    CHECK(deviation(gradient, expected) <= 1e-12);
    RewardStatistics statistics;
    statistics.add(scores, batch);
    auto const& metrics = entry["metrics"];
    CHECK(statistics.min == metrics["min_reward"].get<double>());
    CHECK(statistics.max == metrics["max_reward"].get<double>());
    CHECK(statistics.mean() == doctest::Approx(metrics["mean_reward"].get<double>()).epsilon(1e-12));
    CHECK(statistics.accuracy() == doctest::Approx(metrics["accuracy"].get<double>()).epsilon(1e-6));  // TRL's is float32
    CHECK(statistics.margin() == doctest::Approx(metrics["margin"].get<double>()).epsilon(1e-12));
  }
}

TEST_CASE("reward parity: rankings equal torch, as all pairs and as Plackett-Luce") {
  auto const file = json::parse(read_file(fixtures / "reward/losses.json"));
  REQUIRE(file["rankings"].size() == 2);
  for (json const& entry : file["rankings"]) {
    CAPTURE(entry["name"].get<std::string>());
    std::vector<std::vector<int>> groups;
    for (json const& size : entry["sizes"]) {
      groups.emplace_back();
      for (int rank = 0; rank < size.get<int>(); ++rank) groups.back().push_back(rank);
    }
    auto const scores = entry["rewards"].get<std::vector<double>>();
    std::vector<double> gradient(scores.size());
    auto const value = entry["name"] == "all_pairs" ? BradleyTerry{}(scores, reward_batch(groups), gradient).value
                                                    : PlackettLuce{}(scores, reward_batch(groups), gradient).value;
    CHECK(value == doctest::Approx(entry["loss"].get<double>()).epsilon(1e-12));
    CHECK(deviation(gradient, entry["gradient"].get<std::vector<double>>()) <= 1e-12);
  }
}

TEST_CASE("reward parity: the token ids of every pair, and the pairs that are left out, are TRL's") {
  auto const file = json::parse(read_file(fixtures / "reward/data.json"));
  REQUIRE(file["sets"].size() == 8);
  for (json const& set : file["sets"]) {
    CAPTURE(set["data"].get<std::string>());
    CAPTURE(set["tokenizer"].get<std::string>());
    Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "sft" / set["tokenizer"].get<std::string>()));
    RewardDataOptions options;
    if (!set["max_length"].is_null()) options.max_length = set["max_length"].get<Index>();
    auto const ours = load_reward_dataset((fixtures / "reward" / set["data"].get<std::string>()).string(), tokenizer, options);
    REQUIRE(ours.size() == static_cast<Index>(set["rows"].size()));
    for (Index i = 0; i < ours.size(); ++i) {
      json const& row = set["rows"][static_cast<std::size_t>(i)];
      CHECK(ours[i].record == row["record"].get<Index>());
      CHECK(ours[i].answers[0] == row["chosen_ids"].get<std::vector<std::int32_t>>());
      CHECK(ours[i].answers[1] == row["rejected_ids"].get<std::vector<std::int32_t>>());
    }
  }
}
