// SPDX-License-Identifier: Apache-2.0
#include <graft/model/generate.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>

#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace graft;

namespace {

using Model = Transformer<Llama, double, Reference, Frozen>;

/// The greedy continuation by whole forward passes: at each length the token whose log-probability is highest.
std::vector<std::int32_t> by_full_passes(Model& model, std::vector<std::int32_t> ids, Index count) {
  std::vector<std::int32_t> fresh;
  for (Index i = 0; i < count; ++i) {
    double best = -1e300;
    std::int32_t choice = 0;
    for (std::int32_t v = 0; v < model.config().vocab_size; ++v) {
      TokenBatch batch;
      batch.ids = ids;
      batch.cu_seqlens = {0, static_cast<std::int32_t>(ids.size())};
      batch.rows = {static_cast<std::int32_t>(ids.size()) - 1};
      batch.targets = {v};
      double const logprob = model.forward(batch).front().target_logprob;
      if (logprob > best) {
        best = logprob;
        choice = v;
      }
    }
    ids.push_back(choice);
    fresh.push_back(choice);
  }
  return fresh;
}

std::vector<std::vector<std::int32_t>> random_prompts(Index vocabulary, std::vector<int> const& lengths, int shared) {
  Rng rng(9);
  std::vector<std::int32_t> beginning;
  for (int i = 0; i < shared; ++i) beginning.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocabulary))));
  std::vector<std::vector<std::int32_t>> prompts;
  for (int length : lengths) {
    prompts.push_back(beginning);
    for (int i = 0; i < length; ++i) prompts.back().push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocabulary))));
  }
  return prompts;
}

}  // namespace

TEST_CASE("generate: cached greedy decoding equals whole forward passes, in any batch") {
  auto config = test::tiny_config();
  config.layer_is_sliding = {false, true, false};
  config.sliding_window = 5;
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, {}, backend, weights.provider());
  for (int const shared : {0, 11}) {
    auto const prompts = random_prompts(config.vocab_size, {3, 1, 9, 4, 2}, shared);
    for (Index const batch : {1, 2, 8}) {
      for (Index const prefill : {4, 100}) {
        auto const results = generate(model, prompts, {.max_new_tokens = 6, .batch = batch, .prefill_tokens = prefill});
        for (std::size_t i = 0; i < prompts.size(); ++i) {
          CHECK(results[i].ids == by_full_passes(model, prompts[i], 6));
          CHECK_FALSE(results[i].stopped);
        }
      }
    }
  }
}

TEST_CASE("generate: the probability of given answers is that of whole passes, and does not change what is generated") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, {}, backend, weights.provider());
  for (int const shared : {0, 9}) {
    auto const prompts = random_prompts(config.vocab_size, {2, 1, 3, 1, 2, 4}, shared);
    auto const alone = generate(model, prompts, {.max_new_tokens = 4});
    // Two of the answers are what is generated: wholly and longer than that, and at first.
    std::vector<std::vector<std::int32_t>> answers{{1, 2, 3}, {4}, {5, 6, 7, 8, 9, 10}, {}, alone[4].ids, alone[5].ids};
    answers[4].push_back(3);
    answers[5][2] = (answers[5][2] + 1) % static_cast<std::int32_t>(config.vocab_size);
    for (Index const batch : {1, 3})
      for (Index const prefill : {2, 5, 100}) {
        auto const results =
            generate(model, prompts, {.max_new_tokens = 4, .batch = batch, .prefill_tokens = prefill, .answers = answers});
        for (std::size_t i = 0; i < prompts.size(); ++i) {
          CHECK(results[i].ids == alone[i].ids);
          TokenBatch pass;
          pass.ids = prompts[i];
          for (auto const id : answers[i]) {
            pass.rows.push_back(static_cast<std::int32_t>(pass.ids.size()) - 1);
            pass.targets.push_back(id);
            pass.ids.push_back(id);
          }
          pass.cu_seqlens = {0, static_cast<std::int32_t>(pass.ids.size())};
          double expected = 0;
          for (auto const& stats : model.forward(pass)) expected -= stats.target_logprob;
          CHECK(results[i].answer_nll == doctest::Approx(expected).epsilon(1e-12));
        }
      }
  }
  CHECK_THROWS_WITH_AS((void)generate(model, random_prompts(config.vocab_size, {2}, 0), {.answers = std::vector<std::vector<std::int32_t>>(4)}),
                       "[generate] 4 answers to score for 1 prompts", Error);
}

TEST_CASE("generate: memory that a pass with dropout reserved does not fall short for cached passes") {
  auto config = test::tiny_config();
  config.vocab_size = 4000;
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, {}, backend, weights.provider());
  TokenBatch batch;
  for (std::int32_t i = 0; i < 64; ++i) {
    batch.ids.push_back(i);
    batch.rows.push_back(i);
    batch.targets.push_back(i);
  }
  for (std::int32_t i = 0; i <= 64; ++i) batch.cu_seqlens.push_back(i);
  (void)model.forward(batch, {.training = true});
  auto const prompts = random_prompts(config.vocab_size, std::vector<int>(64, 1), 0);
  CHECK(generate(model, prompts, {.max_new_tokens = 1, .batch = 64}).size() == 64);
}

TEST_CASE("generate: a stop token ends a sequence and is part of it, a hook ends it too") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, {}, backend, weights.provider());
  auto const prompts = random_prompts(config.vocab_size, {3, 5, 4}, 0);
  auto const free = generate(model, prompts, {.max_new_tokens = 8});
  auto const stop = free[1].ids[2];
  auto const stopped = generate(model, prompts, {.max_new_tokens = 8, .stop_ids = {stop}});
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    auto const& ids = free[i].ids;
    auto const at = std::find(ids.begin(), ids.end(), stop);
    CHECK(stopped[i].stopped == (at != ids.end()));
    CHECK(stopped[i].ids == std::vector<std::int32_t>(ids.begin(), at == ids.end() ? at : at + 1));
  }
  auto const hooked = generate(model, prompts, {.max_new_tokens = 8, .on_token = [](std::size_t i, auto ids) {
                                                  return ids.size() == i + 1;
                                                }});
  for (std::size_t i = 0; i < prompts.size(); ++i) CHECK(hooked[i].ids.size() == i + 1);
}

TEST_CASE("generate: sampled sequences depend on the seed, not on the batch") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, {}, backend, weights.provider());
  auto const prompts = random_prompts(config.vocab_size, {3, 5, 4, 2}, 0);
  Sampling const sampling{.greedy = false, .temperature = 1.5, .top_p = 0.95, .repetition_penalty = 1.2, .seed = 4};
  auto const together = generate(model, prompts, {.max_new_tokens = 8, .sampling = sampling, .batch = 4});
  auto const alone = generate(model, prompts, {.max_new_tokens = 8, .sampling = sampling, .batch = 1});
  auto other_sampling = sampling;
  other_sampling.seed = 5;
  auto const other = generate(model, prompts, {.max_new_tokens = 8, .sampling = other_sampling, .batch = 4});
  bool differs = false;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    CHECK(together[i].ids == alone[i].ids);
    differs = differs || together[i].ids != other[i].ids;
  }
  CHECK(differs);
}

TEST_CASE("generate: mistakes are named") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, {}, backend, weights.provider());
  std::vector<std::vector<std::int32_t>> const empty{{1, 2}, {}};
  CHECK_THROWS_WITH_AS((void)generate(model, empty), doctest::Contains("prompt 1 is empty"), Error);
  CHECK_THROWS_WITH_AS((void)generate(model, random_prompts(29, {60}, 0), {.max_new_tokens = 5}),
                       doctest::Contains("pass the context of 64 tokens"), Error);
  CHECK_THROWS_WITH_AS((void)generate(model, random_prompts(29, {6}, 0), {.sampling = {.temperature = 0}}),
                       doctest::Contains("temperature must be above 0"), Error);
}
