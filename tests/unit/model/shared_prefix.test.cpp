// SPDX-License-Identifier: Apache-2.0
// What several sequences begin with is computed once: statistics, scores and every gradient are those of whole sequences.
#include <graft/model/transformer.hpp>

#include <doctest/doctest.h>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/cpu_backend.hpp>
#include <graft/backend/eigen.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/packing.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/gpt2.hpp>
#include <graft/model/llama.hpp>
#include <support/message_of.hpp>
#include <support/module_bench.hpp>
#include <support/tiny_model.hpp>

#include <algorithm>
#include <cmath>

using namespace graft;
using namespace graft::test;

namespace {

/// Two families and a single sequence: prompts of 7 and 3 tokens with answers of several lengths.
struct Batches {
  TokenBatch whole, shared;

  explicit Batches(ModelConfig const& config) {
    Rng rng(8);
    auto const draw = [&] { return static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(config.vocab_size))); };
    for (auto const& [prompt, answers] : std::vector<std::pair<Index, std::vector<Index>>>{{7, {5, 1, 8}}, {4, {2}}, {3, {6, 9}}}) {
      std::vector<std::int32_t> question(static_cast<std::size_t>(prompt));
      std::ranges::generate(question, draw);
      bool first = true;
      for (Index const answer : answers) {
        Example example{question, {{prompt, prompt + answer}}};
        for (Index i = 0; i < answer; ++i) example.ids.push_back(draw());
        append_example(whole, example);
        append_example(shared, example, first ? 0 : prompt - 1);
        first = false;
      }
    }
  }
};

template <class Model>
struct Result {
  std::vector<TokenStats> stats;
  std::vector<std::vector<typename Model::ScalarType>> gradients;

  Result(Model& model, TokenBatch const& batch) {
    using T = typename Model::ScalarType;
    model.trainable().zero_grad();
    auto const got = model.forward(batch, PassOptions::step());
    stats.assign(got.begin(), got.end());
    auto const gradient = model.token_gradient();
    for (std::size_t n = 0; n < stats.size(); ++n)
      gradient[n] = {.target_logprob = 0.1 * static_cast<double>(n) - 0.7, .logsumexp = 0.3, .mean_logit = -0.2};
    model.backward(gradient);
    for (auto const& param : model.trainable().params) {
      auto& values = gradients.emplace_back(static_cast<std::size_t>(param.grad.size()));
      model.backend().download(param.grad.data, values.data(), values.size() * sizeof(T));
    }
  }
};

template <class Arch, class T, class B, class A>
void check_shared(ModelConfig const& config, A const& adapter, double tolerance, Recompute recompute = Recompute::none) {
  RandomWeights weights(config);
  B backend;
  using Model = Transformer<Arch, T, B, A>;
  Model model(config, adapter, backend, weights.provider());
  model.set_recompute(recompute);
  disturb(model.trainable().params);
  Batches const batches(config);
  Result<Model> const whole(model, batches.whole), shared(model, batches.shared);
  REQUIRE(whole.stats.size() == shared.stats.size());
  for (std::size_t n = 0; n < whole.stats.size(); ++n)
    CHECK(std::abs(whole.stats[n].target_logprob - shared.stats[n].target_logprob) <= tolerance);
  double worst = 0, largest = 0;
  for (std::size_t p = 0; p < whole.gradients.size(); ++p)
    for (std::size_t i = 0; i < whole.gradients[p].size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(whole.gradients[p][i]) - static_cast<double>(shared.gradients[p][i])));
      largest = std::max(largest, std::abs(static_cast<double>(whole.gradients[p][i])));
    }
  CHECK(largest > 0);
  CHECK(worst <= tolerance * largest);
  CHECK(model.plan(batches.shared).flops < model.plan(batches.whole).flops);
}

}  // namespace

TEST_CASE("shared prefix: sequences that share their beginning give the statistics and gradients of whole ones") {
  Lora const lora{.rank = 3};
  check_shared<Llama, double, Reference>(tiny_config(), lora, 1e-12);
  check_shared<Llama, double, Reference>(tiny_config(), FullFineTune{}, 1e-12);
  check_shared<Llama, double, EigenBackend>(tiny_config(), lora, 1e-11, Recompute::full);
  check_shared<Llama, float, CpuBackend>(tiny_config(), lora, 1e-4);
  check_shared<Gpt2, double, EigenBackend>(tiny_config("gpt2"), FullFineTune{}, 1e-11);
  auto gemma = tiny_config("gemma3_text");
  gemma.sliding_window = 5;
  gemma.layer_is_sliding = {true, true, false};
  check_shared<Gemma3, double, EigenBackend>(gemma, lora, 1e-11);
}

TEST_CASE("shared prefix: refused where rotations depend on the whole sequence's length") {
  auto config = tiny_config();
  config.rope_scaling.kind = RopeScaling::Kind::dynamic;
  config.rope_scaling.factor = 2;
  config.max_position_embeddings = 14;
  RandomWeights weights(config);
  Reference backend;
  Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 2}, backend, weights.provider());
  Batches const batches(config);
  CHECK_NOTHROW((void)model.forward(batches.whole));
  CHECK(message_of([&] { (void)model.forward(batches.shared); })
            .starts_with("[model] rope scaling dynamic rotates a sequence of 15 tokens, more than max_position_embeddings=14"));
}
