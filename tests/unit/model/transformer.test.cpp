// SPDX-License-Identifier: Apache-2.0
#include <graft/model/transformer.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/gpt2.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/qwen2.hpp>
#include <graft/model/qwen3.hpp>

#include <support/gradcheck.hpp>
#include <support/message_of.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

/// A loss that touches every statistic, with different factors for every token.
double probe(std::span<TokenStats const> stats, std::vector<TokenStats>& gradient) {
  double value = 0;
  gradient.clear();
  for (std::size_t i = 0; i < stats.size(); ++i) {
    double const w = 1 + 0.1 * static_cast<double>(i);
    value += w * (-stats[i].target_logprob + 0.3 * stats[i].logsumexp * stats[i].logsumexp + 0.2 * stats[i].mean_logit -
                  0.25 * stats[i].entropy);
    gradient.push_back({-w, w * 0.6 * stats[i].logsumexp, w * 0.2, -0.25 * w});
  }
  return value;
}

template <class Model>
test::GradientDeviation deviation(Model& model, TokenBatch const& batch, PassOptions options = {true, false, true, true}) {
  auto const trainable = model.trainable();
  trainable.zero_grad();
  std::vector<TokenStats> gradient;
  std::uint64_t const pass = model.pass();
  auto const loss = [&] {
    model.set_dropout(5, pass);
    return probe(model.forward(batch, options), gradient);
  };
  loss();
  model.backward(gradient);
  return test::check_gradients(trainable.params, loss);
}

/// Moves what starts at zero, so that every path carries a gradient.
template <class Model>
void disturb(Model& model) {
  Rng rng(11);
  for (auto const& param : model.trainable().params)
    for (Index i = 0; i < param.value.size(); ++i) param.value.data[i] += 0.1 * rng.normal();
}

}  // namespace

TEST_CASE_TEMPLATE("transformer: the gradients of LoRA equal central differences", Level, std::integral_constant<int, 0>,
                   std::integral_constant<int, 1>, std::integral_constant<int, 2>) {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 3, .alpha = 5}, backend, weights.provider());
  model.set_recompute(static_cast<Recompute>(Level::value));
  disturb(model);
  auto const result = deviation(model, test::random_batch(config, {7, 1, 5}));
  CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
}

TEST_CASE("transformer: the gradients of every weight in full fine-tuning equal central differences") {
  for (bool const tied : {true, false}) {
    for (bool const bias : {false, true}) {
      auto config = test::tiny_config();
      config.tie_word_embeddings = tied;
      config.attention_bias = config.mlp_bias = bias;
      test::RandomWeights weights(config);
      Reference backend;
      Transformer<Llama, double, Reference, FullFineTune> model(config, {}, backend, weights.provider());
      auto const result = deviation(model, test::random_batch(config, {6, 5}));
      CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest, " tied=", tied);
    }
  }
}

TEST_CASE_TEMPLATE("transformer: every architecture has right gradients, for LoRA and for every weight", Arch, Llama, Qwen2,
                   Qwen3, Gemma3, Gpt2) {
  auto config = test::tiny_config(std::string(Arch::model_types[0]));
  config.max_position_embeddings = 16;
  config.layer_is_sliding = {true, false, true};
  config.sliding_window = 3;
  config.rope_local_theta = 30;
  config.rope_scaling = {RopeScaling::Kind::linear, 2};
  test::RandomWeights weights(config);
  Reference backend;
  for (auto level : {Recompute::none, Recompute::selective, Recompute::full}) {
    Transformer<Arch, double, Reference, Lora> model(config, Lora{.rank = 2}, backend, weights.provider());
    model.set_recompute(level);
    disturb(model);
    auto const result = deviation(model, test::random_batch(config, {7, 5}));
    CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
  }
  Transformer<Arch, double, Reference, FullFineTune> model(config, {}, backend, weights.provider());
  auto const result = deviation(model, test::random_batch(config, {7, 5}));
  CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
}

TEST_CASE("transformer: LoRA with dropout uses one mask in forward, backward and recomputation") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  for (auto level : {Recompute::none, Recompute::full}) {
    Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 2, .alpha = 4, .dropout = 0.4}, backend,
                                                      weights.provider());
    model.set_recompute(level);
    disturb(model);
    auto const result = deviation(model, test::random_batch(config, {6, 3}), {true, true, true, true});
    CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
  }
}

TEST_CASE("transformer: partial targets, biases and whole modules have right gradients") {
  auto config = test::tiny_config();
  config.attention_bias = true;
  config.tie_word_embeddings = false;
  test::RandomWeights weights(config);
  Reference backend;
  Lora const specs[] = {
      {.rank = 2, .alpha = 4, .target_modules = {"q_proj", "v_proj"}, .bias = TrainBias::all},
      {.rank = 2, .alpha = 4, .rank_stabilized = true, .target_modules = {"down_proj"}, .modules_to_save = {"lm_head", "norm"}},
      {.rank = 2, .alpha = 4, .target_modules = TargetModules::regex(R"(.*\.1\.self_attn\..*)"), .bias = TrainBias::lora_only},
      {.rank = 2, .alpha = 4, .target_modules = {"layers.2.mlp.up_proj"}, .modules_to_save = {"embed_tokens"}}};
  for (auto const& spec : specs) {
    Transformer<Llama, double, Reference, Lora> model(config, spec, backend, weights.provider());
    disturb(model);
    auto const result = deviation(model, test::random_batch(config, {5, 4}));
    CHECK_MESSAGE(result.largest <= 1e-6, spec.target_modules.text(), ": ", result.where, " deviates by ", result.largest);
  }
}

TEST_CASE("transformer: a fresh LoRA changes nothing, a disabled one neither") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  auto const batch = test::random_batch(config, {7, 4});
  Transformer<Llama, double, Reference, Frozen> base(config, {}, backend, weights.provider());
  Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 3}, backend, weights.provider());
  auto const copy = [](std::span<TokenStats const> stats) { return std::vector<TokenStats>(stats.begin(), stats.end()); };
  auto const expected = copy(base.forward(batch));
  auto const fresh = copy(model.forward(batch));
  disturb(model);
  auto const moved = copy(model.forward(batch));
  auto const disabled = copy(model.forward(batch, {.adapters = false}));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(fresh[i].target_logprob == expected[i].target_logprob);
    CHECK(disabled[i].target_logprob == expected[i].target_logprob);
    CHECK(moved[i].target_logprob != expected[i].target_logprob);
  }
}

TEST_CASE("transformer: packed sequences equal the same sequences one by one") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Transformer<Llama, double, Reference, Frozen> model(config, {}, backend, weights.provider());
  auto const packed = test::random_batch(config, {7, 1, 5, 9});
  std::vector<TokenStats> const together = [&] {
    auto const stats = model.forward(packed);
    return std::vector<TokenStats>(stats.begin(), stats.end());
  }();
  std::size_t n = 0;
  for (Index s = 0; s < packed.sequences(); ++s) {
    auto const begin = packed.cu_seqlens[static_cast<std::size_t>(s)], end = packed.cu_seqlens[static_cast<std::size_t>(s) + 1];
    TokenBatch one;
    one.ids.assign(packed.ids.begin() + begin, packed.ids.begin() + end);
    one.cu_seqlens = {0, end - begin};
    for (std::size_t i = 0; i < packed.rows.size(); ++i)
      if (packed.rows[i] >= begin && packed.rows[i] < end) {
        one.rows.push_back(packed.rows[i] - begin);
        one.targets.push_back(packed.targets[i]);
      }
    for (auto const& stats : model.forward(one))
      CHECK(stats.target_logprob == doctest::Approx(together[n++].target_logprob).epsilon(1e-12));
  }
  CHECK(n == together.size());
}

TEST_CASE("transformer: the planned memory is what a step uses, to the byte") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  for (auto level : {Recompute::none, Recompute::selective, Recompute::full}) {
    Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 3, .dropout = 0.1}, backend, weights.provider());
    model.set_recompute(level);
    auto const batch = test::random_batch(config, {9, 4, 6});
    auto const plan = model.reserve({batch.tokens(), batch.supervised(), batch.sequences()}, {true, true, true, true});
    std::vector<TokenStats> gradient;
    probe(model.forward(batch, {true, true, true, true}), gradient);
    model.backward(gradient);
    CHECK(model.arena_peak() == plan.arena_bytes);
    CHECK(model.arena_capacity() == plan.arena_bytes);
    CHECK(plan.flops > 0);
  }
}

/// A sum over the scores with different factors.
double score_probe(std::span<double const> scores, std::span<double> gradient) {
  double value = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    double const w = 0.7 - 0.2 * static_cast<double>(i);
    value += w * scores[i] + 0.5 * scores[i] * scores[i];
    gradient[i] = w + scores[i];
  }
  return value;
}

TEST_CASE("transformer: a score head alone, and both heads on one pass, have right gradients and the planned memory") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  auto batch = test::random_batch(config, {7, 1, 5});
  for (Heads const heads : {Heads::score, Heads::both}) {
    Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 3, .dropout = 0.2}, backend, weights.provider());
    model.add_score_head({.num_labels = 2, .seed = 3, .initializer_range = 0.4});
    CHECK(model.trainable().params.back().name == "score.weight");
    CHECK(model.score_head() == ScoreHeadSpec{.num_labels = 2, .seed = 3, .initializer_range = 0.4});
    disturb(model);
    PassOptions const options = {true, true, true, has(heads, Heads::language), heads};
    auto const plan = model.reserve({batch.tokens(), batch.supervised(), batch.sequences()}, options);
    std::vector<TokenStats> gradient;
    auto const loss = [&] {
      model.set_dropout(5, 0);
      auto const stats = model.forward(batch, options);
      CHECK(stats.size() == (heads == Heads::score ? 0 : batch.rows.size()));
      CHECK(model.scores().size() == 2 * batch.rows.size());
      return probe(stats, gradient) + score_probe(model.scores(), model.score_gradient());
    };
    loss();
    model.trainable().zero_grad();
    model.backward(gradient, model.score_gradient());
    CHECK(model.arena_peak() == plan.arena_bytes);
    auto const result = test::check_gradients(model.trainable().params, loss);
    CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
    CHECK(model.arena_capacity() == plan.arena_bytes);
  }
}

TEST_CASE("transformer: a head of the caller's own starts from the hidden states and their gradient") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  auto batch = test::random_batch(config, {6, 4});
  batch.targets.clear();  // nobody reads them
  Transformer<Llama, double, Reference, Lora> model(config, Lora{.rank = 2}, backend, weights.provider());
  model.add_score_head({.initializer_range = 0.5});
  disturb(model);
  auto const& params = model.trainable().params;

  model.trainable().zero_grad();
  CHECK(model.forward(batch, PassOptions::step(Heads::score)).empty());
  std::vector<double> const scores(model.scores().begin(), model.scores().end());
  score_probe(scores, model.score_gradient());
  model.backward({}, model.score_gradient());
  std::vector<std::vector<double>> expected;
  for (auto const& param : params) expected.emplace_back(param.grad.data, param.grad.data + param.grad.size());

  model.trainable().zero_grad();
  model.forward(batch, PassOptions::step(Heads::none));
  auto const hidden = model.hidden();
  auto const word = params.back().value;
  std::vector<double> outer(static_cast<std::size_t>(hidden.size())), d(scores.size());
  score_probe(scores, d);
  for (Index n = 0; n < hidden.rows; ++n) {
    double score = 0;
    for (Index c = 0; c < hidden.cols; ++c) {
      score += hidden.row(n)[c] * word.data[c];
      outer[static_cast<std::size_t>(n * hidden.cols + c)] = d[static_cast<std::size_t>(n)] * word.data[c];
    }
    CHECK(score == doctest::Approx(scores[static_cast<std::size_t>(n)]).epsilon(1e-12));
  }
  model.backward_hidden({outer.data(), hidden.rows, hidden.cols});
  for (std::size_t p = 0; p + 1 < params.size(); ++p)
    for (Index i = 0; i < params[p].grad.size(); ++i)
      CHECK(params[p].grad.data[i] == doctest::Approx(expected[p][static_cast<std::size_t>(i)]).epsilon(1e-10));
  CHECK(model.scores().empty());
}

TEST_CASE("transformer: the packed rows of a score pass equal the same sequences one by one, and a language pass may follow") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  Transformer<Llama, double, Reference, Frozen> model(config, {}, backend, weights.provider());
  model.add_score_head();
  auto packed = test::random_batch(config, {7, 1, 5});
  packed.rows = {6, 7, 12};
  packed.targets = {0, 0, 0};
  model.reserve({13, 3, 3}, {.heads = Heads::score});
  auto const small = model.arena_capacity();
  model.forward(packed, {.heads = Heads::score});
  CHECK(model.arena_capacity() == small);
  std::vector<double> const together(model.scores().begin(), model.scores().end());
  for (std::size_t s = 0; s < 3; ++s) {
    auto const begin = packed.cu_seqlens[s], end = packed.cu_seqlens[s + 1];
    TokenBatch one;
    one.ids.assign(packed.ids.begin() + begin, packed.ids.begin() + end);
    one.cu_seqlens = {0, end - begin};
    one.rows = {end - begin - 1};
    model.forward(one, {.heads = Heads::score});
    CHECK(model.scores()[0] == doctest::Approx(together[s]).epsilon(1e-12));
  }
  auto const stats = model.forward(packed);
  CHECK(stats.size() == 3);
  CHECK(model.scores().empty());
  CHECK(model.arena_capacity() > small);
}

TEST_CASE("transformer: mistakes are named") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  Reference backend;
  using Model = Transformer<Llama, double, Reference, Lora>;
  auto const build = [&](Lora const& spec) { Model model(config, spec, backend, weights.provider()); };
  CHECK_THROWS_WITH_AS(build({.rank = 2, .target_modules = {"q_proj", "vproj"}}),
                       doctest::Contains("\"vproj\" matches no linear module of this model; it has q_proj, k_proj"), Error);
  CHECK_THROWS_WITH_AS(build({.rank = 2, .target_modules = TargetModules::regex("nothing")}),
                       doctest::Contains("matches no linear module"), Error);
  CHECK_THROWS_WITH_AS(build({.rank = 2, .target_modules = TargetModules::regex("(")}),
                       doctest::Contains("is not a regular expression"), Error);
  CHECK_THROWS_WITH_AS(build({.rank = 9}), doctest::Contains("rank must be in 1..min(in, out): got rank=9 for "
                                                             "model.layers.0.self_attn.k_proj of shape (8, 12)"), Error);
  CHECK_THROWS_WITH_AS(build({.rank = 2, .dropout = 1}), doctest::Contains("dropout must be in [0, 1)"), Error);
  CHECK_THROWS_WITH_AS(build({.rank = 2, .modules_to_save = {"lm_head"}}), doctest::Contains("shares its weight"), Error);
  Model model(config, {.rank = 2}, backend, weights.provider());
  CHECK_THROWS_WITH_AS(model.backward({}), doctest::Contains("backward needs a forward pass"), Error);
  auto const batch = test::random_batch(config, {5});
  CHECK_THROWS_WITH_AS(model.forward(batch, {.heads = Heads::score}), doctest::Contains("give the model a head by add_score_head first"), Error);
  model.add_score_head();
  CHECK_THROWS_WITH_AS(model.add_score_head(), "[score] this model has a score head already", Error);
  model.forward(batch, PassOptions::step(Heads::score));
  CHECK_THROWS_WITH_AS(model.backward(std::vector<TokenStats>(1)), doctest::Contains("backward got 1 token gradients and 0 score gradients for 0"), Error);
  CHECK_THROWS_WITH_AS(model.backward_hidden({nullptr, 1, 2}), doctest::Contains("a gradient of shape (1, 2) for hidden states of shape ("), Error);
}

TEST_CASE("transformer: learned positions count from the start of each sequence, and none lies behind the table") {
  auto config = test::tiny_config("gpt2");
  config.max_position_embeddings = 6;
  test::RandomWeights weights(config);
  Reference backend;
  Transformer<Gpt2, float, Reference, Frozen> model(config, {}, backend, weights.provider());
  auto const packed = test::random_batch(config, {6, 4});
  std::vector<TokenStats> const together(model.forward(packed).begin(), model.forward(packed).end());
  TokenBatch second;
  second.ids.assign(packed.ids.begin() + 6, packed.ids.end());
  second.cu_seqlens = {0, 4};
  for (std::size_t n = 0; n < packed.rows.size(); ++n)
    if (packed.rows[n] >= 6) {
      second.rows.push_back(packed.rows[n] - 6);
      second.targets.push_back(packed.targets[n]);
    }
  auto const alone = model.forward(second);
  auto const offset = together.size() - alone.size();
  for (std::size_t n = 0; n < alone.size(); ++n)
    CHECK(alone[n].target_logprob == doctest::Approx(together[offset + n].target_logprob).epsilon(1e-6));
  CHECK(test::message_of([&] { (void)model.forward(test::random_batch(config, {2, 7})); }) ==
        "[model] a sequence of 7 tokens is longer than the 6 learned positions of this model");
}
