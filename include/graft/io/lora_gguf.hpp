// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/combine_adapters.hpp>
#include <graft/io/gguf_names.hpp>
#include <graft/io/gguf_rotary.hpp>
#include <graft/io/gguf_writer.hpp>
#include <graft/model/config.hpp>
#include <graft/quant/encode.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace graft {

/// The name that llama.cpp has for the architecture of a model type.
[[nodiscard]] inline std::string gguf_architecture_of(std::string_view model_type) {
  if (model_type == "mistral") return "llama";
  if (model_type == "gemma3_text") return "gemma3";
  return std::string(model_type);
}

/// Writes a LoRA adapter as the GGUF file that llama.cpp takes with `--lora`: `general.type` adapter, `adapter.type` lora,
/// `adapter.lora.alpha`, and for each module NAME.weight.lora_a (r, in), NAME.weight.lora_b (out, r) under GGUF's names, in
/// `storage` (f32, f16 or bf16). llama.cpp adds alpha/r·B·A; where a module's own scaling is another one (rank-stabilised, a
/// pattern), B carries the quotient. Rows of B of q and k are reordered where those of the base are. `config` is the base's.
/// Errors: [lora_gguf] a module that has no name in GGUF or whose shape is not the base's; a block format.
inline void write_lora_gguf(LoraFiles const& adapter, ModelConfig const& config, std::filesystem::path const& path,
                            Storage storage = Storage::f32) {
  require(!is_quantized(storage), "lora_gguf", "the matrices can be f32, f16 or bf16: got ", name(storage));
  std::string const architecture = gguf_architecture_of(config.model_type);
  double const alpha = adapter.lora.alpha != 0 ? adapter.lora.alpha : 1;  // llama.cpp takes 0 for "no scaling"
  GgufMetadata const metadata{{"general.architecture", architecture},
                              {"general.type", std::string("adapter")},
                              {"general.name", std::string("LoRA by graft")},
                              {"adapter.type", std::string("lora")},
                              {"adapter.lora.alpha", static_cast<float>(alpha)}};
  std::vector<std::vector<std::byte>> memory;
  memory.reserve(2 * adapter.modules.size());
  std::vector<GgufTensorToWrite> tensors;
  auto const add = [&](std::string const& tensor, std::vector<double> const& values, Index rows, Index cols) {
    auto& bytes = memory.emplace_back(static_cast<std::size_t>(rows * row_bytes(storage, cols)));
    encode_row(storage, values.data(), rows * cols, bytes.data());
    tensors.push_back({tensor, storage, {rows, cols}, bytes, {}});
  };
  for (auto const& [module, factors] : adapter.modules) {
    auto const tensor = gguf_name_of_hf(architecture, module + ".weight");
    require(tensor.has_value(), "lora_gguf", "the module ", module, " has no name in GGUF files of ", architecture);
    bool const query = module.ends_with(".q_proj"), key = module.ends_with(".k_proj");
    Index const heads = query ? config.num_attention_heads : config.num_key_value_heads;
    require(!(query || key) || factors.out == heads * config.head_dim, "lora_gguf", module, " has ", factors.out,
            " rows in the adapter, but ", heads * config.head_dim, " in the model");
    double const factor = adapter.lora.for_module(module).scaling() / (alpha / static_cast<double>(factors.rank));
    std::vector<double> b = factors.b;
    for (double& value : b) value *= factor;
    if ((query || key) && detail::interleaves_rotary_pairs(architecture))
      detail::interleave_rotary_pairs(b, factors.out, factors.rank, config.head_dim);
    add(*tensor + ".lora_a", factors.a, factors.rank, factors.in);
    add(*tensor + ".lora_b", b, factors.out, factors.rank);
  }
  write_gguf(path, metadata, tensors);
}

}  // namespace graft
