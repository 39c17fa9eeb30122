// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/view.hpp>
#include <graft/io/model_files.hpp>
#include <graft/model/transformer.hpp>
#include <graft/quant/decode.hpp>

#include <span>
#include <string>
#include <vector>

namespace graft {

/// The weights of a model's files, for the functions that write models (`save_model`, `save_quantized`, `save_gguf`). No
/// transformer is built and one weight at a time is decoded, so a model that is larger than memory can be converted.
class StoredModel {
 public:
  using ScalarType = float;

  /// `files` must outlive this.
  explicit StoredModel(ModelFiles const& files) : files_(&files) {
    for (auto const& name : files.weights->names()) {
      HostTensor const tensor = files.weights->get(name);
      weights_.push_back({name, tensor.shape, tensor.storage, false, false, static_cast<std::size_t>(tensor.bytes())});
    }
  }

  [[nodiscard]] ModelConfig const& config() const { return files_->config; }
  /// Files of language models have no score head.
  [[nodiscard]] static constexpr bool score_head() { return false; }
  [[nodiscard]] std::vector<WeightInfo> const& weights() const { return weights_; }

  /// Copies weight `number`, decoded, to host memory.
  void download_weight(std::size_t number, bool, std::span<float> host) const {
    HostTensor const tensor = files_->weights->get(weights_.at(number).name);
    require(static_cast<Index>(host.size()) == tensor.rows() * tensor.cols(), "model", "the weight ", weights_[number].name,
            " has the shape ", shape_text(tensor.shape), ", not ", host.size(), " elements");
    decode_rows(tensor.matrix(), 0, tensor.rows(), MatrixView<float>(host.data(), tensor.rows(), tensor.cols()));
  }

 private:
  ModelFiles const* files_;
  std::vector<WeightInfo> weights_;
};

}  // namespace graft
