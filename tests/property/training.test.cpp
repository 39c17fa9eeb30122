// SPDX-License-Identifier: Apache-2.0
#include <graft/train/value_and_grad.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/eigen.hpp>
#include <graft/core/parallel.hpp>
#include <graft/data/reward_dataset.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/loss/reward/bradley_terry.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/clip.hpp>

#include <support/count_allocations.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace graft;

namespace {

template <class T>
using LoraModel = Transformer<Llama, T, EigenBackend, Lora>;

/// Values or gradients of all that a model trains, one after the other.
template <class Model>
auto flat(Model const& model, bool gradients) {
  std::vector<typename Model::ScalarType> all;
  for (auto const& param : model.trainable().params) {
    auto const* data = gradients ? param.grad.data : param.value.data;
    all.insert(all.end(), data, data + param.value.size());
  }
  return all;
}

template <class Model>
void disturb(Model const& model) {
  Rng rng(11);
  for (auto const& param : model.trainable().params)
    for (Index i = 0; i < param.value.size(); ++i)
      param.value.data[i] += static_cast<typename Model::ScalarType>(0.1 * rng.normal());
}

/// The sequences [begin, end) of a packed batch.
TokenBatch part(TokenBatch const& whole, std::size_t begin, std::size_t end) {
  TokenBatch batch;
  auto const first = whole.cu_seqlens[begin], last = whole.cu_seqlens[end];
  batch.ids.assign(whole.ids.begin() + first, whole.ids.begin() + last);
  for (std::size_t s = begin; s <= end; ++s) batch.cu_seqlens.push_back(whole.cu_seqlens[s] - first);
  for (std::size_t i = 0; i < whole.rows.size(); ++i)
    if (whole.rows[i] >= first && whole.rows[i] < last) {
      batch.rows.push_back(whole.rows[i] - first);
      batch.targets.push_back(whole.targets[i]);
    }
  batch.normalizer = whole.total_weight();
  return batch;
}

template <class T>
double largest_difference(std::vector<T> const& a, std::vector<T> const& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(a[i] - b[i])));
  return largest;
}

}  // namespace

TEST_CASE("training: micro-batches with one normalizer give the gradient of the whole batch") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  EigenBackend backend;
  LoraModel<double> model(config, Lora{.rank = 3}, backend, weights.provider());
  disturb(model);
  auto const whole = test::random_batch(config, {7, 3, 9, 5, 2});
  auto const report = value_and_grad(model, CrossEntropy{.label_smoothing = 0.1, .z_loss = 1e-3}, whole);
  auto const expected = flat(model, true);
  std::vector<TokenBatch> const micro{part(whole, 0, 2), part(whole, 2, 3), part(whole, 3, 5)};
  auto const sum = value_and_grad(model, CrossEntropy{.label_smoothing = 0.1, .z_loss = 1e-3}, micro);
  CHECK(sum.value == doctest::Approx(report.value).epsilon(1e-12));
  CHECK(largest_difference(flat(model, true), expected) < 1e-13);
}

TEST_CASE("training: gradients accumulate, they are never overwritten") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  EigenBackend backend;
  Transformer<Llama, double, EigenBackend, FullFineTune> model(config, {}, backend, weights.provider());
  auto const batch = test::random_batch(config, {7, 3});
  value_and_grad(model, CrossEntropy{}, batch);
  auto once = flat(model, true);
  accumulate_grad(model, CrossEntropy{}, batch);
  for (double& g : once) g *= 2;
  CHECK(largest_difference(flat(model, true), once) < 1e-14);
}

TEST_CASE("training: a merged model computes what the adapted one does") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  EigenBackend backend;
  LoraModel<double> model(config, Lora{.rank = 3, .alpha = 7, .rank_stabilized = true}, backend, weights.provider());
  disturb(model);
  auto const infos = model.weights();
  auto const merged = [&](std::string const& name) {
    for (std::size_t i = 0; i < infos.size(); ++i) {
      if (infos[i].name != name) continue;
      Index size = 1;
      for (Index n : infos[i].shape) size *= n;
      auto values = std::make_shared<std::vector<double>>(static_cast<std::size_t>(size));
      model.download_weight(i, true, *values);
      return HostTensor{Storage::f64, infos[i].shape, reinterpret_cast<std::byte const*>(values->data()), values};
    }
    fail("test", "no weight ", name);
  };
  WeightProvider const provider{merged, [](std::string const&) { return true; }};
  Transformer<Llama, double, EigenBackend, Frozen> plain(config, {}, backend, provider);
  auto const batch = test::random_batch(config, {7, 3, 9});
  auto const expected = model.forward(batch);
  auto const actual = plain.forward(batch);
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(actual[i].target_logprob == doctest::Approx(expected[i].target_logprob).epsilon(1e-12));
}

TEST_CASE("training: LoRA lowers the loss and leaves the frozen base its bits") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  EigenBackend backend;
  LoraModel<float> model(config, Lora{.rank = 4, .alpha = 8}, backend, weights.provider());
  auto const before = weights.get("model.layers.1.mlp.up_proj.weight");
  std::vector<std::byte> const bits(before.data, before.data + before.matrix().bytes());
  auto const batch = test::random_batch(config, {12});
  auto optimizer = bind(AdamW{}, model.trainable());
  double const first = value_and_grad(model, CrossEntropy{}, batch).value;
  double last = 0;
  for (int step = 0; step < 200; ++step) {
    last = value_and_grad(model, CrossEntropy{}, batch).value;
    optimizer.step(1e-2);
  }
  CHECK(last < 0.7 * first);
  CHECK(std::equal(bits.begin(), bits.end(), before.data));
}

TEST_CASE("training: all weights learn one batch by heart") {
  auto const config = test::tiny_config();
  test::RandomWeights weights(config);
  EigenBackend backend;
  Transformer<Llama, double, EigenBackend, FullFineTune> model(config, {}, backend, weights.provider());
  auto const batch = test::random_batch(config, {12});
  auto optimizer = bind(AdamW{}, model.trainable());
  double last = 0;
  for (int step = 0; step < 300; ++step) {
    last = value_and_grad(model, CrossEntropy{}, batch).value;
    optimizer.step(1e-2);
  }
  CHECK(last < 0.05);
}

TEST_CASE("training: a steady step allocates nothing and its bits do not depend on the number of threads") {
  auto config = test::tiny_config();
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.head_dim = 16;
  test::RandomWeights weights(config);
  std::vector<std::vector<float>> results;
  for (int const threads : {1, 2, 3}) {
    set_num_threads(threads);
    EigenBackend backend;
    LoraModel<float> model(config, Lora{.rank = 4, .dropout = 0.1}, backend, weights.provider());
    auto const batch = test::random_batch(config, {40, 7, 21, 33});
    model.add_score_head({.seed = 2});
    RewardBatch pairs;
    for (std::int32_t pair = 0; pair < 2; ++pair) append_example(pairs, {{{1, 2, 3, pair}, {1, 2, pair}}, {0, 1}, 0.5f});
    auto optimizer = bind(AdamW{.weight_decay = 0.1}, model.trainable());
    auto const step = [&] {
      value_and_grad(model, CrossEntropy{.label_smoothing = 0.1}, batch);
      clip_grad_norm(model.trainable(), 1.0);
      optimizer.step(1e-3);
      value_and_grad(model, BradleyTerry{.center_rewards_coefficient = 0.1}, pairs);
      optimizer.step(1e-3);
    };
    for (int i = 0; i < 3; ++i) step();
    std::size_t const before = test::allocations.load();
    step();
    CHECK(test::allocations.load() == before);
    results.push_back(flat(model, false));
  }
  set_num_threads(2);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}
