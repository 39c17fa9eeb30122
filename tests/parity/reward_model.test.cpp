// SPDX-License-Identifier: Apache-2.0
// A reward model against transformers, PEFT and TRL's RewardTrainer in float64; made by make_reward.py.
#include <graft/adapter/lora.hpp>
#include <graft/data/reward_dataset.hpp>
#include <graft/io/peft.hpp>
#include <graft/loss/reward/bradley_terry.hpp>
#include <graft/optim/bind.hpp>
#include <graft/train/evaluate_reward.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/model_fixture.hpp>

#include <doctest/doctest.h>

using namespace graft;
using namespace graft::test;

namespace {

auto const directory = std::filesystem::path(GRAFT_FIXTURES_DIR) / "reward/model";

/// Batch `number` of the fixture: chosen, rejected, chosen, rejected.
RewardBatch reward_batch_of(Fixture const& fixture, Json const& run, std::size_t number) {
  RewardBatch batch;
  auto const& members = run["batches"][number];
  for (std::size_t pair = 0; 2 * pair < members.size(); ++pair) {
    RewardExample example{{}, {0, 1}, run["margins"][pair].get<float>()};
    example.record = static_cast<Index>(pair);
    example.source = static_cast<std::int32_t>(pair);
    for (std::size_t side = 0; side < 2; ++side)
      example.answers.push_back(fixture.sequences["sequences"][members[2 * pair + side].get<std::size_t>()]["input_ids"].get<std::vector<std::int32_t>>());
    append_example(batch, example);
  }
  return batch;
}

struct Case {
  Fixture fixture{"llama_tiny"};
  Json run = graft::detail::parse_json_file(directory / "training.json", "test");
  Transformer<Llama, double, Reference, Lora> model = fixture.model<double>(read_peft_config(directory));
  BradleyTerry loss{run["center_rewards_coefficient"].get<double>()};
  Case() { load_peft(model, directory); }
};

}  // namespace

TEST_CASE("reward model parity: a PEFT adapter of the task SEQ_CLS gives its rewards, loss and gradients, and learns as there") {
  Case test;
  auto const expected = read_tensors(directory / "expected.safetensors");
  CHECK(test.model.score_head() == ScoreHeadSpec{.num_labels = 1});
  auto const batch = reward_batch_of(test.fixture, test.run, 0);
  CHECK(value_and_grad(test.model, test.loss, batch).value == doctest::Approx(expected.at("loss")[0]).epsilon(1e-12));
  CHECK(relative(expected.at("rewards"), test.model.scores().data()) <= 1e-12);
  CHECK(grad_norm(test.model.trainable()) == doctest::Approx(expected.at("grad_norm")[0]).epsilon(1e-11));
  std::size_t compared = 0;
  for (auto const& param : test.model.trainable().params) {
    auto const key = "grad." + graft::detail::peft_key(param.name, test.model.adapted_modules());
    CHECK_MESSAGE(relative(expected.at(key), param.grad.data) <= 1e-9, param.name);
    ++compared;
  }
  CHECK(compared + 3 == expected.size());

  auto const& course = test.run["adamw"];
  auto optimizer = bind(adamw_of(course), all_decayed(test.model));
  for (std::size_t step = 0; step < course["steps"].get<std::size_t>(); ++step) {
    auto const report = value_and_grad(test.model, test.loss, reward_batch_of(test.fixture, test.run, step % 2));
    CHECK(report.value == doctest::Approx(course["losses"][step].get<double>()).epsilon(1e-9));
    CHECK(clip_grad_norm(test.model.trainable(), 1.0) == doctest::Approx(course["grad_norms"][step].get<double>()).epsilon(1e-8));
    optimizer.step(course["learning_rate"].get<double>());
  }
}

TEST_CASE("reward model: saved and loaded it gives the same rewards; the files are those of the task SEQ_CLS") {
  Case test;
  TemporaryDirectory const folder;
  save_peft(test.model, folder / "adapter", "base");
  PeftOrigin origin;
  auto again = test.fixture.model<double>(read_peft_config(folder / "adapter", &origin));
  CHECK(origin.task_type == "SEQ_CLS");
  CHECK(again.adapter().modules_to_save.back() == "score");
  load_peft(again, folder / "adapter");
  auto const batch = reward_batch_of(test.fixture, test.run, 1);
  test.model.forward(batch, {.heads = Heads::score});
  again.forward(batch, {.heads = Heads::score});
  for (std::size_t i = 0; i < 4; ++i) CHECK(again.scores()[i] == test.model.scores()[i]);

  auto other = test.fixture.model<double>(read_peft_config(directory));
  other.add_score_head({.num_labels = 2});
  CHECK(message_of([&] { load_peft(other, folder / "adapter"); }).ends_with("base_model.model.score.weight has shape (1, 32), but the model needs (2, 32)"));
}

TEST_CASE("reward model: micro-batches add up to the batch") {
  Case test;
  auto const whole = reward_batch_of(test.fixture, test.run, 0);
  auto const value = value_and_grad(test.model, test.loss, whole).value;
  auto const norm = grad_norm(test.model.trainable());
  std::vector<RewardBatch> parts(2);
  for (std::size_t pair = 0; pair < 2; ++pair) {
    RewardExample example{{}, {0, 1}, whole.margins[pair]};
    for (std::size_t s = 2 * pair; s < 2 * pair + 2; ++s)
      example.answers.emplace_back(whole.ids.begin() + whole.cu_seqlens[s], whole.ids.begin() + whole.cu_seqlens[s + 1]);
    append_example(parts[pair], example);
    parts[pair].normalizer = 2;
  }
  auto const report = value_and_grad(test.model, test.loss, parts);
  CHECK(report.value == doctest::Approx(value).epsilon(1e-12));
  CHECK(grad_norm(test.model.trainable()) == doctest::Approx(norm).epsilon(1e-11));
  CHECK(report.weight == 2);
}

TEST_CASE("reward model: an evaluation counts right pairs, by source too, and says how sure the model was") {
  Case test;
  std::vector<RewardBatch> const batches{reward_batch_of(test.fixture, test.run, 0), reward_batch_of(test.fixture, test.run, 1)};
  auto const evaluation = evaluate_reward(test.model, batches);
  REQUIRE(evaluation.rewards.size() == 4);
  REQUIRE(evaluation.by_source.size() == 2);
  Index right = 0;
  double nll = 0, brier = 0;
  for (auto const& pair : evaluation.rewards) {
    right += pair[0] > pair[1];
    nll -= log_sigmoid(pair[0] - pair[1]) / 4;
    brier += std::pow(1 - sigmoid(pair[0] - pair[1]), 2) / 4;
  }
  CHECK(evaluation.all.statistics.right == right);
  CHECK(evaluation.all.mean_nll() == doctest::Approx(nll));
  CHECK(evaluation.all.calibration.brier() == doctest::Approx(brier));
  CHECK(evaluation.by_source[0].statistics.right + evaluation.by_source[1].statistics.right == right);
  CHECK(evaluation.by_source[1].statistics.pairs == 2);
  EvaluationSummary const summary = evaluation;
  CHECK(summary.loss == doctest::Approx(nll));
  CHECK(summary.supervised_tokens == 4);
  CHECK(summary.metrics["accuracy"] == evaluation.all.accuracy().estimate);
  CHECK(summary.metrics["accuracy_low"] < summary.metrics["accuracy"]);
  CHECK(summary.metrics["brier"] == doctest::Approx(brier));
  std::ostringstream table;
  print_reward_evaluation(table, evaluation, {"first", "second"});
  for (char const* word : {"\nall ", "\nfirst ", "\nsecond ", "confidence"}) CHECK(table.str().find(word) != std::string::npos);
}
