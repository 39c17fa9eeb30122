// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/frozen.hpp>
#include <graft/backend/reference.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/model/transformer.hpp>

#include <support/files.hpp>
#include <support/tensor_file.hpp>
#include <support/tiny_model.hpp>

#include <filesystem>
#include <string>

namespace graft::test {

/// A tokenizer of six tokens: a, b, c, ab, abc, <s>.
inline constexpr char const* tiny_tokenizer_json = R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 5, "content": "<s>", "special": true, "normalized": false, "lstrip": false, "rstrip": false,
                    "single_word": false}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "post_processor": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": false, "byte_fallback": false, "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4},
            "merges": ["a b", "ab c"]}})";

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
      file.tensors[info.name] = {"F32", info.shape, {tensor.data, tensor.data + tensor.matrix().bytes()}};
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

}  // namespace graft::test
