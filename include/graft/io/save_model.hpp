// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/atomic_directory.hpp>
#include <graft/io/conv1d.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/io/hf_tokenizer.hpp>
#include <graft/io/model_files.hpp>
#include <graft/io/safetensors.hpp>
#include <graft/io/safetensors_writer.hpp>
#include <graft/model/transformer.hpp>
#include <graft/quant/encode.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

namespace graft {

/// Writes the model, with its adapter merged into the weights, as a Hugging Face directory that transformers loads:
/// config.json, generation_config.json, model.safetensors, tokenizer.json, tokenizer_config.json. The sum W + Δ is made in
/// the model's scalar type and rounded once, to `storage` (f32, bf16, f16 or f64). One weight at a time is in memory.
/// `files` are those that the model came from; generation_config.json keeps their sampling. The directory appears complete
/// or not at all. Error: a score head, for which a whole model has no place here; `save_peft` writes it.
template <class Model>
void save_model(Model const& model, ModelFiles const& files, std::filesystem::path const& directory,
                Storage storage = Storage::f32) {
  using T = typename Model::ScalarType;
  require(!is_quantized(storage), "save", "weights can be written as f32, bf16, f16 or f64: got ", name(storage));
  require(!model.score_head(), "save", "a score head goes with its adapter, not into a whole language model: use save_peft");
  auto const weights = model.weights();
  write_directory_atomically(directory, [&](std::filesystem::path const& fresh) {
    std::vector<TensorToWrite> tensors;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      bool const turned = is_conv1d_weight(weights[i].name);
      std::vector<Index> shape = weights[i].shape;
      if (turned) std::reverse(shape.begin(), shape.end());
      tensors.push_back({weights[i].name, dtype_of_storage(storage), shape, {}, [&, i, turned](AtomicFile& file) {
                           Index size = 1;
                           for (Index const n : weights[i].shape) size *= n;
                           std::vector<T> values(static_cast<std::size_t>(size));
                           model.download_weight(i, true, values);
                           if (turned) values = detail::transposed(values, weights[i].shape[0], weights[i].shape[1]);
                           std::vector<std::byte> bytes(static_cast<std::size_t>(row_bytes(storage, size)));
                           encode_row(storage, values.data(), size, bytes.data());
                           file.write(bytes);
                         }});
    }
    write_safetensors(fresh / "model.safetensors", tensors);
    ModelConfig config = model.config();
    config.dtype = storage == Storage::bf16 ? "bfloat16"
                   : storage == Storage::f16 ? "float16"
                   : storage == Storage::f64 ? "float64"
                                             : "float32";
    write_hf_config(config, fresh, files.generation);
    write_hf_tokenizer(files.tokenizer->spec(), fresh);
  });
}

}  // namespace graft
