// SPDX-License-Identifier: Apache-2.0
#include <graft/train/kto_reference.hpp>

#include <doctest/doctest.h>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/loss/preference/kto.hpp>
#include <graft/model/llama.hpp>
#include <graft/train/bco_reference.hpp>
#include <graft/train/evaluate_preferences.hpp>
#include <graft/train/value_and_grad.hpp>
#include <graft/train/with_reference.hpp>
#include <support/answers.hpp>
#include <support/message_of.hpp>
#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

using namespace graft;
using namespace graft::test;

namespace {

using Model = Transformer<Llama, double, Reference, Lora>;

/// Σ log-probability of the tokens from `begin` on of one sequence.
double logprob(Model& model, std::vector<std::int32_t> const& ids, Index begin, bool adapters) {
  Example example{ids, {{begin, std::ssize(ids)}}};
  UnpairedBatch batch;
  append_answer(batch, example, true);
  double sum = 0;
  for (auto const& token : model.forward(batch, {.adapters = adapters})) sum += token.target_logprob;
  return sum;
}

}  // namespace

TEST_CASE("kto_reference: the KL estimate is over each prompt with its neighbour's completion, whole and cut, however the step is cut") {
  ModelConfig const config = tiny_config();
  RandomWeights weights{config};
  Reference backend;
  Model model(config, Lora{.rank = 2}, backend, weights.provider());
  disturb(model.trainable().params);
  auto const dataset = some_answers(5, config.vocab_size, 6);
  double expected = 0;
  for (Index i = 0; i < 5; ++i) {
    auto const& asked = dataset[i];
    auto const& answered = dataset[(i + 4) % 5];
    Index const prompt = asked.supervised.front().begin;
    std::vector<std::int32_t> ids(asked.ids.begin(), asked.ids.begin() + prompt);
    ids.insert(ids.end(), answered.completion.begin(), answered.completion.end());
    if (ids.size() > 6) ids.resize(6);
    expected += (logprob(model, ids, prompt, true) - logprob(model, ids, prompt, false)) / 5;
  }
  REQUIRE(std::abs(expected) > 1e-3);
  ReferencePolicy reference(model, ReferenceKind::base, true);
  for (Index const parts : {1, 2}) {
    UnpairedData data(dataset, {.batch_size = 5, .gradient_accumulation = parts, .shuffle = false});
    KtoReference kto(model, reference, data.dataset());
    WithReference judged(data, kto);
    static_assert(DataSource<decltype(judged), UnpairedBatch>);
    std::vector<UnpairedBatch> step;
    judged.next_step(step);
    for (auto const& batch : step) {
      CHECK(batch.kl == doctest::Approx(expected).epsilon(1e-6));
      CHECK(batch.reference_logprobs.size() == batch.rows.size());
      CHECK(batch.normalizer == 5);
    }
    auto const report = value_and_grad(model, Kto{.beta = 0.3}, step);
    CHECK(report.metrics["kl"] == doctest::Approx(std::max(expected, 0.0)).epsilon(1e-6));
    if (parts > 1) continue;
    data.rewind();
    CHECK(evaluate_preferences(model, Kto{.beta = 0.3}, judged.epochs(1)).remarks.starts_with("reward of desirable answers "));
  }
}

TEST_CASE("bco_reference: the history adds up what the loss tells, and goes through a checkpoint's state unchanged") {
  RewardHistory history, resumed;
  StepContext context;
  context.metrics.add("rewards/chosen", 0.75, 2);
  context.metrics.add("rewards/rejected", -0.5, 3);
  context.metrics.add("entropy", 9);
  history.on_step_end(context);
  history.on_step_end(context);
  CHECK(history.sum() == 0.5);
  CHECK(history.answers() == 10);
  TrainerState state;
  CHECK(message_of([&] { resumed.restore(state); }) == "[bco] the checkpoint lacks bco_past_reward");
  history.store(state);
  resumed.restore(state);
  CHECK(resumed.sum() == history.sum());
  CHECK(resumed.answers() == history.answers());
}
