// SPDX-License-Identifier: Apache-2.0
// Properties that hold for every model, adapter and batch, tried on random ones; a failing one is made as small as it stays failing.
#include <graft/train/value_and_grad.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/backend/eigen.hpp>
#include <graft/core/parallel.hpp>
#include <graft/io/peft.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>

#include <support/files.hpp>
#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <sstream>

using namespace graft;

namespace {

using Model = Transformer<Llama, double, EigenBackend, Lora>;

/// Sizes of a model, an adapter and a batch.
struct Shape {
  std::vector<Index> sizes{1, 1, 1, 1, 1, 2, 1};  // layers, kv heads, queries a kv head, half a head, hidden, words, rank
  std::vector<int> lengths{1};
  std::uint64_t seed = 1;

  [[nodiscard]] ModelConfig config() const {
    ModelConfig config = test::tiny_config();
    config.num_hidden_layers = sizes[0];
    config.num_key_value_heads = sizes[1];
    config.num_attention_heads = sizes[1] * sizes[2];
    config.head_dim = 2 * sizes[3];
    config.hidden_size = config.intermediate_size = sizes[4];
    config.vocab_size = sizes[5];
    return config;
  }
};

/// A model of that shape on random weights, with its batch.
struct Bench {
  explicit Bench(Shape const& shape, WeightProvider const* merged = nullptr)
      : weights(shape.config(), shape.seed),
        model(shape.config(), Lora{.rank = std::min({shape.sizes[6], shape.sizes[4], 2 * shape.sizes[3] * shape.sizes[1]}), .alpha = 3, .seed = shape.seed},
              backend, merged != nullptr ? *merged : weights.provider()),
        batch(test::random_batch(shape.config(), shape.lengths, shape.seed)) {}

  void disturb() {
    Rng rng(17);
    for (auto const& param : model.trainable().params)
      for (Index i = 0; i < param.value.size(); ++i) param.value.data[i] += 0.2 * rng.normal();
  }
  [[nodiscard]] std::vector<double> logprobs(PassOptions options = {}) { return logprobs(batch, options); }
  [[nodiscard]] std::vector<double> logprobs(TokenBatch const& tokens, PassOptions options = {}) {
    std::vector<double> values;
    for (auto const& stats : model.forward(tokens, options)) values.push_back(stats.target_logprob);
    return values;
  }
  [[nodiscard]] std::vector<double> gradient() const {
    std::vector<double> all;
    for (auto const& param : model.trainable().params) all.insert(all.end(), param.grad.data, param.grad.data + param.grad.size());
    return all;
  }
  /// Each sequence of the batch alone, normalised as in the batch.
  [[nodiscard]] std::vector<TokenBatch> sequences() const {
    std::vector<TokenBatch> all;
    for (std::size_t s = 0; s + 1 < batch.cu_seqlens.size(); ++s) {
      auto const first = batch.cu_seqlens[s], last = batch.cu_seqlens[s + 1];
      TokenBatch one;
      one.ids.assign(batch.ids.begin() + first, batch.ids.begin() + last);
      one.cu_seqlens = {0, last - first};
      for (std::size_t n = 0; n < batch.rows.size(); ++n)
        if (batch.rows[n] >= first && batch.rows[n] < last) {
          one.rows.push_back(batch.rows[n] - first);
          one.targets.push_back(batch.targets[n]);
        }
      one.normalizer = batch.total_weight();
      if (!one.rows.empty()) all.push_back(one);
    }
    return all;
  }

  EigenBackend backend;
  test::RandomWeights weights;
  Model model;
  TokenBatch batch;
};

bool close(std::vector<double> const& a, std::vector<double> const& b, double tolerance) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= tolerance * (1 + std::abs(b[i])))) return false;
  return true;
}

/// A random shape; one sequence at least has a prediction.
Shape random_shape(Rng& rng) {
  Shape shape;
  std::uint64_t const limits[] = {3, 3, 3, 4, 14, 40, 5};
  for (std::size_t i = 0; i < shape.sizes.size(); ++i) shape.sizes[i] = 1 + static_cast<Index>(rng.below(limits[i]));
  shape.sizes[5] += 1;
  shape.lengths.clear();
  for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) shape.lengths.push_back(1 + static_cast<int>(rng.below(9)));
  shape.lengths.back() += 1;
  shape.seed = rng.next();
  return shape;
}

/// Every shape that is one step smaller.
std::vector<Shape> smaller(Shape const& shape) {
  std::vector<Shape> all;
  for (std::size_t i = 0; i < shape.sizes.size(); ++i)
    if (shape.sizes[i] > (i == 5 ? 2 : 1)) {
      all.push_back(shape);
      --all.back().sizes[i];
    }
  for (std::size_t s = 0; s < shape.lengths.size(); ++s) {
    if (shape.lengths.size() > 1 && s + 1 < shape.lengths.size()) {
      all.push_back(shape);
      all.back().lengths.erase(all.back().lengths.begin() + static_cast<std::ptrdiff_t>(s));
    }
    if (shape.lengths[s] > (s + 1 == shape.lengths.size() ? 2 : 1)) {
      all.push_back(shape);
      --all.back().lengths[s];
    }
  }
  return all;
}

/// The smallest shape that can be reached from `failing` by steps that still fail.
Shape shrunk(Shape failing, std::function<bool(Shape const&)> const& holds) {
  for (bool moved = true; moved;) {
    moved = false;
    for (auto const& next : smaller(failing))
      if (!holds(next)) {
        failing = next;
        moved = true;
        break;
      }
  }
  return failing;
}

std::string text(Shape const& shape) {
  std::ostringstream out;
  constexpr char const* names[] = {"layers", "kv_heads", "queries", "half_head", "hidden", "words", "rank"};
  for (std::size_t i = 0; i < shape.sizes.size(); ++i) out << names[i] << '=' << shape.sizes[i] << ' ';
  out << "seed=" << shape.seed << " lengths=";
  for (int const length : shape.lengths) out << length << ' ';
  return out.str();
}

void for_random_shapes(int cases, std::function<bool(Shape const&)> const& holds) {
  Rng rng(2026);
  for (int i = 0; i < cases; ++i) {
    Shape const shape = random_shape(rng);
    bool const held = holds(shape);
    CHECK_MESSAGE(held, "fails for ", text(held ? shape : shrunk(shape, holds)));
    if (!held) return;
  }
}

}  // namespace

TEST_CASE("random models: packed sequences equal the same one by one, and their micro-batches the gradient of the batch") {
  for_random_shapes(25, [](Shape const& shape) {
    Bench bench(shape);
    bench.disturb();
    auto const sequences = bench.sequences();
    std::vector<double> alone;
    for (auto const& one : sequences)
      for (double const value : bench.logprobs(one)) alone.push_back(value);
    if (!close(bench.logprobs(), alone, 1e-12)) return false;
    value_and_grad(bench.model, CrossEntropy{}, bench.batch);
    auto const whole = bench.gradient();
    value_and_grad(bench.model, CrossEntropy{}, sequences);
    return close(bench.gradient(), whole, 1e-12);
  });
}

TEST_CASE("random models: a fresh adapter and a disabled one leave the base its bits") {
  for_random_shapes(25, [](Shape const& shape) {
    Bench bench(shape);
    PassOptions const off{.adapters = false};
    auto const base = bench.logprobs(off);
    if (bench.logprobs() != base) return false;
    bench.disturb();
    return bench.logprobs(off) == base && bench.logprobs() != base;
  });
}

TEST_CASE("random models: merged weights compute what the adapter adds") {
  for_random_shapes(25, [](Shape const& shape) {
    Bench bench(shape);
    bench.disturb();
    auto const infos = bench.model.weights();
    WeightProvider const merged{[&](std::string const& name) {
                                  auto const found = std::find_if(infos.begin(), infos.end(), [&](auto const& info) { return info.name == name; });
                                  Index const size = std::accumulate(found->shape.begin(), found->shape.end(), Index{1}, std::multiplies<>());
                                  auto values = std::make_shared<std::vector<double>>(static_cast<std::size_t>(size));
                                  bench.model.download_weight(static_cast<std::size_t>(found - infos.begin()), true, *values);
                                  return HostTensor{Storage::f64, found->shape, reinterpret_cast<std::byte const*>(values->data()), values};
                                },
                                [](std::string const&) { return true; }};
    return close(Bench(shape, &merged).logprobs({.adapters = false}), bench.logprobs(), 1e-11);
  });
}

TEST_CASE("random models: one thread computes the bits of many") {
  for_random_shapes(25, [](Shape const& shape) {
    std::vector<std::vector<double>> results;
    for (int const threads : {1, 3}) {
      set_num_threads(threads);
      Bench bench(shape);
      bench.disturb();
      value_and_grad(bench.model, CrossEntropy{}, bench.batch);
      results.push_back(bench.gradient());
    }
    set_num_threads(2);
    return results[0] == results[1];
  });
}

TEST_CASE("random models: a saved adapter is loaded to the bits") {
  for_random_shapes(10, [](Shape const& shape) {
    test::TemporaryDirectory const folder;
    Bench bench(shape), loaded(shape);
    bench.disturb();
    save_peft(bench.model, folder / "adapter");
    load_peft(loaded.model, folder / "adapter");
    return loaded.logprobs() == bench.logprobs();
  });
}

TEST_CASE("random models: what fails is shrunk to the smallest that fails") {
  Shape shape;
  shape.sizes = {3, 2, 3, 4, 9, 20, 5};
  shape.lengths = {4, 7, 3};
  auto const holds = [](Shape const& one) { return one.sizes[4] < 6 || one.lengths.size() < 2; };
  Shape const small = shrunk(shape, holds);
  CHECK(small.sizes == std::vector<Index>{1, 1, 1, 1, 6, 2, 1});
  CHECK(small.lengths == std::vector<int>{1, 2});
}
