// SPDX-License-Identifier: Apache-2.0
#include <graft/train/with_reference.hpp>

#include <doctest/doctest.h>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/preference_data.hpp>
#include <graft/loss/preference/dpo.hpp>
#include <graft/model/llama.hpp>
#include <graft/train/evaluate_preferences.hpp>
#include <graft/train/value_and_grad.hpp>
#include <support/files.hpp>
#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

using namespace graft;

namespace {

PreferenceData some_pairs(Index vocabulary) {
  Rng rng(4);
  std::vector<PreferencePair> pairs;
  for (Index i = 0; i < 3; ++i) {
    auto const make = [&](Index length) {
      Example answer{{}, {{2, length}}, i, i + 1};
      for (Index t = 0; t < length; ++t)
        answer.ids.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocabulary))));
      return answer;
    };
    pairs.push_back({make(4 + i), make(6)});
  }
  return PreferenceData(PreferenceDataset(std::move(pairs)), {.batch_size = 2, .shuffle = false});
}

using Model = Transformer<Llama, double, Reference, Lora>;

std::vector<float> logprobs(Model& model, PreferenceBatch const& batch, bool adapters) {
  std::vector<float> out;
  for (auto const& token : model.forward(batch, {.adapters = adapters})) out.push_back(static_cast<float>(token.target_logprob));
  return out;
}

}  // namespace

TEST_CASE("with_reference: batches know the base, or the policy as it was, whether computed, precomputed or read from a file") {
  ModelConfig const config = test::tiny_config();
  test::RandomWeights weights{config};
  Reference backend;
  Model model(config, Lora{.rank = 2}, backend, weights.provider());
  test::disturb(model.trainable().params);
  auto pairs = some_pairs(config.vocab_size);
  test::TemporaryDirectory folder;
  auto const cache = folder / "reference.safetensors";
  std::vector<PreferenceBatch> step;
  pairs.next_step(step);
  auto const at_first = logprobs(model, step[0], true);
  ReferencePolicy base(model, ReferenceKind::base, false), initial(model, ReferenceKind::initial, false), cached = initial, again = initial;
  CHECK_FALSE(cached.precompute(pairs.dataset(), cache));
  for (auto& param : model.trainable().params)
    for (Index i = 0; i < param.value.size(); ++i) param.value.data[i] *= 1.5;
  auto const policy = logprobs(model, step[0], true);
  REQUIRE(policy != at_first);
  CHECK(again.precompute(pairs.dataset(), cache));

  for (auto* reference : {&initial, &cached, &again}) {
    reference->fill(std::span(step).first(1));
    CHECK(step[0].reference_logprobs == at_first);
    CHECK(logprobs(model, step[0], true) == policy);  // the policy is back in its place
  }
  base.fill(std::span(step).first(1));
  CHECK(step[0].reference_logprobs == logprobs(model, step[0], false));

  pairs.rewind();
  WithReference judged(pairs, initial);
  static_assert(DataSource<decltype(judged), PreferenceBatch>);
  Dpo<> const loss{.beta = 0.3};
  Index seen = 0;
  for (auto const& batch : judged.epochs(1)) {
    seen += batch.pairs();
    auto const report = value_and_grad(model, loss, batch);
    std::vector<TokenStats> ignored(batch.rows.size());
    auto const value = [&] { return loss(model.forward(batch), batch, ignored).value; };
    auto const result = test::check_gradients(model.trainable().params, value, 3);
    CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
    CHECK(report.metrics["rewards/margins"] != 0);
  }
  CHECK(seen == 3);
  pairs.rewind();
  auto const summary = evaluate_preferences(model, loss, judged.epochs(1));
  CHECK(summary.metrics["rewards/accuracies_low"] < summary.metrics["rewards/accuracies_high"]);
  CHECK(summary.remarks.starts_with("accuracy "));
}
