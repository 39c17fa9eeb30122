// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/frozen.hpp>
#include <graft/backend/reference.hpp>
#include <graft/io/conv1d.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/model/transformer.hpp>

#include <support/files.hpp>
#include <support/tensor_file.hpp>
#include <support/tiny_model.hpp>
#include <support/tiny_tokenizer.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace graft::test {

/// A tiny model of architecture `Arch` as a Hugging Face directory, with random weights in f32.
template <class Arch>
class HfDirectory {
 public:
  explicit HfDirectory(ModelConfig model_config) : config(std::move(model_config)) {
    RandomWeights weights(config);
    Reference backend;
    Transformer<Arch, float, Reference, Frozen> const model(config, {}, backend, weights.provider());
    for (auto const& info : model.weights()) {
      HostTensor const tensor = weights.get(info.name);
      HostTensor const stored = is_conv1d_weight(info.name) ? graft::detail::transposed(tensor) : tensor;
      file.tensors[info.name] = {"F32", stored.shape, {stored.data, stored.data + stored.matrix().bytes()}};
    }
    write_hf_config(config, path());
    write_file(folder_ / "tokenizer.json", tiny_tokenizer_json);
    write();
  }
  /// Writes `file`, changed or not, as the weights.
  void write() const { file.write(folder_ / "model.safetensors"); }
  [[nodiscard]] std::filesystem::path const& path() const { return folder_.path(); }

  ModelConfig config;
  TensorFile file;

 private:
  TemporaryDirectory folder_;
};

/// Log-probabilities that a model of tiny configuration gives to the targets of one random batch.
template <class Model>
[[nodiscard]] std::vector<double> logprobs(Model& model) {
  std::vector<double> values;
  for (auto const& stats : model.forward(random_batch(model.config(), {7, 3}))) values.push_back(stats.target_logprob);
  return values;
}

}  // namespace graft::test
