// SPDX-License-Identifier: Apache-2.0
// What the parity tests of models share: fixture directories as make_llama.py and make_families.py write them.
#pragma once

#include <graft/adapter/full_fine_tune.hpp>
#include <graft/backend/reference.hpp>
#include <graft/io/conv1d.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/io/json_file.hpp>
#include <graft/io/weight_source.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/clip.hpp>
#include <graft/quant/decode.hpp>
#include <graft/train/value_and_grad.hpp>

#include <support/files.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace graft::test {

using detail::Json;

/// Every tensor of a file as doubles, Conv1D weights (out, in).
inline std::map<std::string, std::vector<double>> read_tensors(std::filesystem::path const& path) {
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
    if (is_conv1d_weight(info.name)) values = graft::detail::transposed(values, info.shape[0], info.shape[1]);
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
inline TokenBatch batch_of(Json const& json, Json const& members) {
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

  template <class T, class Arch = Llama, class A>
  Transformer<Arch, T, Reference, A> model(A adapter) const {
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

inline AdamW adamw_of(Json const& run) {
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

/// Log-probabilities, loss and the gradient of every weight, against the fixture's.
template <class Arch>
void check_forward_and_gradients(Fixture const& fixture) {
  auto const expected = read_tensors(fixture.directory / "expected.safetensors");
  auto const gradients = read_tensors(fixture.directory / "full_gradients.safetensors");
  auto model = fixture.model<double, Arch>(FullFineTune{});
  auto const batch = fixture.forward_batch();
  auto const report = value_and_grad(model, CrossEntropy{}, batch);
  CHECK(report.value == doctest::Approx(expected.at("loss")[0]).epsilon(1e-12));
  CHECK(grad_norm(model.trainable()) == doctest::Approx(expected.at("grad_norm")[0]).epsilon(1e-11));
  CHECK(model.trainable().params.size() == gradients.size());
  for (auto const& param : model.trainable().params)
    CHECK_MESSAGE(relative(gradients.at(param.name), param.grad.data) <= 1e-9, param.name, " by ",
                  relative(gradients.at(param.name), param.grad.data));
  auto const stats = model.forward(batch);
  for (std::size_t i = 0; i < batch.rows.size(); ++i) {
    auto const row = static_cast<std::size_t>(batch.rows[i]);
    CHECK(stats[i].target_logprob == doctest::Approx(expected.at("target_logprobs")[row]).epsilon(1e-11));
    CHECK(stats[i].logsumexp == doctest::Approx(expected.at("logsumexp")[row]).epsilon(1e-11));
    CHECK(stats[i].mean_logit == doctest::Approx(expected.at("mean_logit")[row]).epsilon(1e-10));
    CHECK(stats[i].entropy == doctest::Approx(expected.at("entropy")[row]).epsilon(1e-10));
  }
}

}  // namespace graft::test
