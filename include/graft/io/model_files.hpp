// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/io/weight_source.hpp>
#include <graft/model/config.hpp>
#include <graft/quant/host_tensor.hpp>
#include <graft/text/tokenizer.hpp>

#include <filesystem>
#include <memory>
#include <set>
#include <string>

namespace graft {

/// A model as it lies on disk: a GGUF file, or a Hugging Face directory.
struct ModelFiles {
  std::filesystem::path path;
  ModelConfig config;
  GenerationDefaults generation;
  std::shared_ptr<WeightSource const> weights;
  std::shared_ptr<Tokenizer const> tokenizer;
};

/// Opens and checks a model; weights are mapped, not read. Errors name the file: nothing there, an unknown kind, a
/// configuration that contradicts itself, a tokenizer whose ids pass the vocabulary.
[[nodiscard]] ModelFiles open_model(std::filesystem::path const& path);

/// The tokenizer of a model alone.
[[nodiscard]] Tokenizer open_tokenizer(std::filesystem::path const& path);

/// Weights for a model's constructor. Remembers what was asked for, so that `check_all_used` can refuse a file whose
/// tensors the model has no place for.
class StrictWeights {
 public:
  explicit StrictWeights(ModelFiles const& files) : files_(&files) {}

  [[nodiscard]] WeightProvider provider() {
    return {[this](std::string const& name) { return get(name); },
            [this](std::string const& name) { return files_->weights->has(name); }};
  }
  /// Errors: a tensor that was never asked for. Rotary tables and masks that old checkpoints carry are passed over, and
  /// so is a tied head that repeats the embedding to the bit.
  void check_all_used() const;

 private:
  [[nodiscard]] HostTensor get(std::string const& name);

  ModelFiles const* files_;
  std::set<std::string> used_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/model_files.tpp>
#endif
