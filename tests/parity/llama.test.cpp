// SPDX-License-Identifier: Apache-2.0
// A tiny Llama against transformers and PEFT in float64: fixtures by tests/parity/make_llama.py.
#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/io/json_file.hpp>
#include <graft/io/peft.hpp>
#include <graft/io/weight_source.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/clip.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/train/value_and_grad.hpp>

#include <doctest/doctest.h>

#include <cmath>

using namespace graft;
using detail::Json;

namespace {

std::filesystem::path const fixtures = std::filesystem::path(GRAFT_FIXTURES_DIR);

/// Every tensor of a file as doubles.
std::map<std::string, std::vector<double>> read_tensors(std::filesystem::path const& path) {
  SafetensorsFile const file(path);
  std::map<std::string, std::vector<double>> tensors;
  for (auto const& info : file.tensors()) {
    auto const storage = storage_of_dtype(info.dtype);
    if (!storage) continue;
    Index size = 1;
    for (Index const n : info.shape) size *= n;
    auto& values = tensors[info.name];
    values.resize(static_cast<std::size_t>(size));
    decode_row(*storage, info.bytes.data(), size, values.data());
  }
  return tensors;
}

/// |a - b| over the larger norm: one number for a whole tensor.
template <class T>
double relative(std::vector<double> const& expected, T const* actual) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (expected[i] - static_cast<double>(actual[i])) * (expected[i] - static_cast<double>(actual[i]));
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference / std::max(norm, 1e-300));
}

/// Batch `which` ("forward_batch" or an entry of "training_batches") of sequences.json.
TokenBatch batch_of(Json const& json, Json const& members) {
  TokenBatch batch;
  batch.cu_seqlens = {0};
  for (auto const& number : members) {
    auto const& sequence = json["sequences"][number.get<std::size_t>()];
    auto const begin = batch.ids.size();
    for (auto const& id : sequence["input_ids"]) batch.ids.push_back(id.get<std::int32_t>());
    auto const& labels = sequence["labels"];
    for (std::size_t i = 1; i < labels.size(); ++i)
      if (auto const label = labels[i].get<std::int32_t>(); label != -100) {
        batch.rows.push_back(static_cast<std::int32_t>(begin + i - 1));
        batch.targets.push_back(label);
      }
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
  }
  return batch;
}

/// A fixture directory: its model on any adapter, and its batches.
struct Fixture {
  std::filesystem::path directory;
  ModelConfig config;
  std::shared_ptr<SafetensorsWeights> weights;
  Json sequences;
  mutable Reference backend;

  explicit Fixture(std::string const& name)
      : directory(fixtures / name),
        config(read_hf_config(directory)),
        weights(std::make_shared<SafetensorsWeights>(directory)),
        sequences(detail::parse_json_file(directory / "sequences.json", "test")) {}

  template <class T, class A>
  Transformer<Llama, T, Reference, A> model(A adapter) const {
    WeightProvider const provider{[this](std::string const& name) { return weights->get(name); },
                                  [this](std::string const& name) { return weights->has(name); }};
    return {config, adapter, backend, provider};
  }
  TokenBatch forward_batch() const { return batch_of(sequences, sequences["forward_batch"]); }
  TokenBatch training_batch(std::size_t step) const {
    auto const& batches = sequences["training_batches"];
    return batch_of(sequences, batches[step % batches.size()]);
  }
};

struct Deviation {
  double loss = 0;
  double grad_norm = 0;
};

/// Trains as the fixture's run did; largest relative deviations of loss and gradient norm.
template <class Model, class O>
Deviation train(Model& model, Fixture const& fixture, O& optimizer, Json const& run) {
  Deviation deviation;
  auto const steps = run["steps"].template get<std::size_t>();
  double const rate = run["learning_rate"].template get<double>(), clip = run["max_grad_norm"].template get<double>();
  for (std::size_t step = 0; step < steps; ++step) {
    double const loss = value_and_grad(model, CrossEntropy{}, fixture.training_batch(step)).value;
    double const norm = clip_grad_norm(model.trainable(), clip);
    optimizer.step(rate);
    double const expected_loss = run["losses"][step].template get<double>(), expected_norm = run["grad_norms"][step].template get<double>();
    deviation.loss = std::max(deviation.loss, std::abs(loss - expected_loss) / expected_loss);
    deviation.grad_norm = std::max(deviation.grad_norm, std::abs(norm - expected_norm) / expected_norm);
  }
  return deviation;
}

AdamW adamw_of(Json const& run) {
  return {.beta1 = run["beta1"].get<double>(), .beta2 = run["beta2"].get<double>(), .eps = run["epsilon"].get<double>(),
          .weight_decay = run["weight_decay"].get<double>()};
}

/// torch decays every parameter that is in its one group; graft spares vectors unless told.
template <class Model>
auto all_decayed(Model const& model) {
  auto trainable = model.trainable();
  for (auto& param : trainable.params) param.decay = true;
  return trainable;
}

}  // namespace

TEST_CASE("llama parity: log-probabilities, loss and the gradient of every weight equal transformers' in float64") {
  for (std::string const name : {"llama_tiny", "llama_tiny_untied", "llama_tiny_bias"}) {
    CAPTURE(name);
    Fixture const fixture(name);
    auto const expected = read_tensors(fixture.directory / "expected.safetensors");
    auto const gradients = read_tensors(fixture.directory / "full_gradients.safetensors");
    auto model = fixture.model<double>(FullFineTune{});
    auto const batch = fixture.forward_batch();
    auto const report = value_and_grad(model, CrossEntropy{}, batch);
    CHECK(report.value == doctest::Approx(expected.at("loss")[0]).epsilon(1e-12));
    CHECK(grad_norm(model.trainable()) == doctest::Approx(expected.at("grad_norm")[0]).epsilon(1e-11));
    auto const stats = model.forward(batch);
    for (std::size_t i = 0; i < batch.rows.size(); ++i) {
      auto const row = static_cast<std::size_t>(batch.rows[i]);
      CHECK(stats[i].target_logprob == doctest::Approx(expected.at("target_logprobs")[row]).epsilon(1e-11));
      CHECK(stats[i].logsumexp == doctest::Approx(expected.at("logsumexp")[row]).epsilon(1e-11));
      CHECK(stats[i].mean_logit == doctest::Approx(expected.at("mean_logit")[row]).epsilon(1e-10));
      CHECK(stats[i].entropy == doctest::Approx(expected.at("entropy")[row]).epsilon(1e-10));
    }
    CHECK(model.trainable().params.size() == gradients.size());
    double largest = 0;
    for (auto const& param : model.trainable().params)
      largest = std::max(largest, relative(gradients.at(param.name), param.grad.data));
    CHECK_MESSAGE(largest <= 1e-9, "largest relative deviation of a gradient: ", largest);
  }
}

TEST_CASE("llama parity: 50 steps of AdamW and 20 of SGD on all weights follow torch") {
  Fixture const fixture("llama_tiny_untied");
  Json const runs = detail::parse_json_file(fixture.directory / "training.json", "test");
  auto model = fixture.model<double>(FullFineTune{});
  auto optimizer = bind(adamw_of(runs["adamw"]), all_decayed(model));
  auto const deviation = train(model, fixture, optimizer, runs["adamw"]);
  CHECK_MESSAGE(deviation.loss <= 1e-9, "loss deviates by ", deviation.loss);
  CHECK_MESSAGE(deviation.grad_norm <= 1e-8, "gradient norm deviates by ", deviation.grad_norm);
  auto const after = read_tensors(fixture.directory / "full_after_adamw.safetensors");
  for (auto const& param : model.trainable().params) CHECK(relative(after.at(param.name), param.value.data) < 1e-6);

  auto single = fixture.model<float>(FullFineTune{});
  auto single_optimizer = bind(adamw_of(runs["adamw"]), all_decayed(single));
  CHECK(train(single, fixture, single_optimizer, runs["adamw"]).loss <= 1e-5);
}

TEST_CASE("llama parity: PEFT's adapters load, and their outputs, gradients, training and merged weights are PEFT's") {
  struct Case {
    char const* model;
    char const* adapter;
  };
  for (auto const& [name, adapter] : {Case{"llama_tiny", "lora_all_linear"}, Case{"llama_tiny", "rslora_qv"},
                                      Case{"llama_tiny", "patterns"}, Case{"llama_tiny", "one_layer"},
                                      Case{"llama_tiny_untied", "lora_all_linear"}, Case{"llama_tiny_untied", "rslora_qv"},
                                      Case{"llama_tiny_untied", "modules_to_save"}, Case{"llama_tiny_bias", "bias_lora_only"},
                                      Case{"llama_tiny_bias", "bias_all"}}) {
    CAPTURE(name);
    CAPTURE(adapter);
    Fixture const fixture(name);
    auto const directory = fixture.directory / "adapters" / adapter;
    auto const expected = read_tensors(directory / "expected.safetensors");
    Json const runs = detail::parse_json_file(directory / "training.json", "test");
    auto model = fixture.model<double>(read_peft_config(directory));
    load_peft(model, directory);
    CHECK(value_and_grad(model, CrossEntropy{}, fixture.forward_batch()).value ==
          doctest::Approx(expected.at("loss")[0]).epsilon(1e-12));
    CHECK(grad_norm(model.trainable()) == doctest::Approx(expected.at("grad_norm")[0]).epsilon(1e-11));
    auto const key = [&](auto const& param) { return detail::peft_key(param.name, model.adapted_modules()); };
    for (auto const& param : model.trainable().params)
      CHECK_MESSAGE(relative(expected.at("grad." + key(param)), param.grad.data) <= 1e-9, param.name);

    auto const merged = read_tensors(directory / "merged.safetensors");
    auto const infos = model.weights();
    for (std::size_t i = 0; i < infos.size(); ++i) {
      if (merged.count(infos[i].name) == 0) continue;
      std::vector<double> values(merged.at(infos[i].name).size());
      model.download_weight(i, true, values);
      CHECK_MESSAGE(relative(merged.at(infos[i].name), values.data()) <= 1e-7, infos[i].name);
    }

    auto optimizer = bind(adamw_of(runs["adamw"]), all_decayed(model));
    auto const deviation = train(model, fixture, optimizer, runs["adamw"]);
    CHECK_MESSAGE(deviation.loss <= 1e-9, "loss deviates by ", deviation.loss);
    CHECK_MESSAGE(deviation.grad_norm <= 1e-8, "gradient norm deviates by ", deviation.grad_norm);
    for (auto const& param : model.trainable().params)
      CHECK_MESSAGE(relative(expected.at("after_adamw." + key(param)), param.value.data) <= 1e-6, param.name);

    auto again = fixture.model<double>(read_peft_config(directory));
    load_peft(again, directory);
    auto const& sgd = runs["sgd"];
    Sgd spec;
    spec.momentum = sgd["momentum"].get<double>();
    spec.nesterov = sgd["nesterov"].get<bool>();
    spec.weight_decay = sgd["weight_decay"].get<double>();
    auto sgd_optimizer = bind(spec, all_decayed(again));
    CHECK(train(again, fixture, sgd_optimizer, sgd).loss <= 1e-9);
  }
}

TEST_CASE("llama parity: rope scaling llama3, linear and yarn give transformers' log-probabilities") {
  Fixture const fixture("llama_tiny");
  for (std::string const kind : {"default", "linear", "llama3", "yarn"}) {
    CAPTURE(kind);
    auto const directory = fixtures / "llama_rope" / kind;
    auto const expected = read_tensors(directory / "expected.safetensors");
    Fixture scaled("llama_tiny");
    scaled.config = read_hf_config(directory);
    auto model = scaled.model<double>(Frozen{});
    auto const& logits = expected.at("logits");
    auto const vocabulary = static_cast<std::size_t>(scaled.config.vocab_size);
    SafetensorsFile const file(directory / "expected.safetensors");
    auto const* ids = file.find("input_ids");
    TokenBatch batch;
    for (std::size_t i = 0; i < ids->bytes.size() / 8; ++i) {
      std::int64_t id = 0;
      std::copy_n(ids->bytes.data() + 8 * i, 8, reinterpret_cast<std::byte*>(&id));
      batch.ids.push_back(static_cast<std::int32_t>(id));
      batch.rows.push_back(static_cast<std::int32_t>(i));
      batch.targets.push_back(static_cast<std::int32_t>(i * 7 % vocabulary));
    }
    batch.cu_seqlens = {0, static_cast<std::int32_t>(batch.ids.size())};
    auto const stats = model.forward(batch);
    double largest = 0;
    for (std::size_t i = 0; i < stats.size(); ++i) {
      double const logit = stats[i].target_logprob + stats[i].logsumexp;
      largest = std::max(largest, std::abs(logit - logits[i * vocabulary + static_cast<std::size_t>(batch.targets[i])]));
    }
    CHECK_MESSAGE(largest <= 1e-9, "a logit deviates by ", largest);
  }
}
