// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/gguf_names.hpp>
#include <graft/io/gguf_rotary.hpp>
#include <graft/io/gguf_writer.hpp>
#include <graft/model/config.hpp>
#include <graft/model/transformer.hpp>
#include <graft/quant/encode.hpp>
#include <graft/text/tokenizer_spec.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace graft {

namespace detail {

/// llama.cpp's number for a model whose matrices are mostly `storage`.
[[nodiscard]] inline std::uint32_t file_type(Storage storage) {
  switch (storage) {
    case Storage::f16: return 1;
    case Storage::q4_0: return 2;
    case Storage::q4_1: return 3;
    case Storage::q8_0: return 7;
    case Storage::q5_0: return 8;
    case Storage::q5_1: return 9;
    case Storage::q4_k: return 14;
    case Storage::bf16: return 32;
    default: return 0;
  }
}

/// The format of a matrix with rows of `cols`: q4_k becomes q5_0 where its blocks of 256 do not fit, as in llama.cpp.
[[nodiscard]] inline Storage matrix_storage(Storage storage, Index cols) {
  return storage == Storage::q4_k && cols % block_elements(storage) != 0 ? Storage::q5_0 : storage;
}

/// Metadata of a Llama model with a byte-level tokenizer, as llama.cpp reads them.
[[nodiscard]] inline GgufMetadata llama_metadata(ModelConfig const& config, TokenizerSpec const& tokenizer, Storage storage) {
  auto const u32 = [](Index n) { return static_cast<std::uint32_t>(n); };
  require(config.model_type == "llama" && config.rope_scaling.kind == RopeScaling::Kind::none, "gguf",
          "only Llama models without rope scaling can be written: this one is a ", config.model_type);
  require(tokenizer.model == TokenizerModel::byte_level_bpe && tokenizer.pre_tokenizer != PreTokenizer::none, "gguf",
          "only models with a byte-level tokenizer can be written");
  constexpr char const* pre_names[] = {"", "gpt-2", "smollm", "llama-bpe", "qwen2", ""};
  GgufMetadata metadata{{"general.architecture", std::string("llama")},
                        {"general.type", std::string("model")},
                        {"general.file_type", file_type(storage)},
                        {"general.quantization_version", u32(2)},
                        {"llama.vocab_size", u32(config.vocab_size)},
                        {"llama.context_length", u32(config.max_position_embeddings)},
                        {"llama.embedding_length", u32(config.hidden_size)},
                        {"llama.block_count", u32(config.num_hidden_layers)},
                        {"llama.feed_forward_length", u32(config.intermediate_size)},
                        {"llama.attention.head_count", u32(config.num_attention_heads)},
                        {"llama.attention.head_count_kv", u32(config.num_key_value_heads)},
                        {"llama.attention.key_length", u32(config.head_dim)},
                        {"llama.attention.value_length", u32(config.head_dim)},
                        {"llama.rope.dimension_count", u32(config.head_dim)},
                        {"llama.rope.freq_base", static_cast<float>(config.rope_theta)},
                        {"llama.attention.layer_norm_rms_epsilon", static_cast<float>(config.norm_eps)},
                        {"tokenizer.ggml.model", std::string("gpt2")},
                        {"tokenizer.ggml.pre", std::string(pre_names[static_cast<std::size_t>(tokenizer.pre_tokenizer)])}};
  std::vector<std::string> tokens = tokenizer.tokens, merges;
  tokens.resize(static_cast<std::size_t>(id_count(tokenizer)));
  std::vector<std::int32_t> types(tokens.size(), 1);  // normal
  for (auto const& added : tokenizer.added_tokens) {
    tokens[static_cast<std::size_t>(added.id)] = added.content;
    types[static_cast<std::size_t>(added.id)] = added.special ? 3 : 4;  // control, user-defined
  }
  for (auto const& merge : tokenizer.merges)
    merges.push_back(tokenizer.tokens[static_cast<std::size_t>(merge.left)] + " " +
                     tokenizer.tokens[static_cast<std::size_t>(merge.right)]);
  metadata.emplace_back("tokenizer.ggml.tokens", std::move(tokens));
  metadata.emplace_back("tokenizer.ggml.token_type", std::move(types));
  metadata.emplace_back("tokenizer.ggml.merges", std::move(merges));
  auto const id = [&](char const* key, std::optional<std::int32_t> value) {
    if (value) metadata.emplace_back(key, static_cast<std::uint32_t>(*value));
  };
  id("tokenizer.ggml.bos_token_id", tokenizer.bos);
  id("tokenizer.ggml.eos_token_id", tokenizer.eos);
  id("tokenizer.ggml.padding_token_id", tokenizer.pad);
  metadata.emplace_back("tokenizer.ggml.add_bos_token", tokenizer.add_bos);
  if (!tokenizer.chat_template.empty()) metadata.emplace_back("tokenizer.chat_template", tokenizer.chat_template);
  return metadata;
}

}  // namespace detail

/// Writes a Llama model, with its adapter merged in, as a GGUF file that llama.cpp and graft read. Matrices get `storage`
/// (a format that `encode_row` writes), vectors stay f32. Errors: another architecture; rows that do not fill blocks.
template <class Model>
void save_gguf(Model const& model, TokenizerSpec const& tokenizer, std::filesystem::path const& path, Storage storage) {
  using T = typename Model::ScalarType;
  auto const& config = model.config();
  require(!model.score_head(), "gguf", "a score head goes with its adapter, not into a whole language model: use save_peft");
  auto const metadata = detail::llama_metadata(config, tokenizer, storage);
  std::vector<GgufTensorToWrite> tensors;
  auto const weights = model.weights();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    auto const& weight = weights[i];
    auto const name = gguf_name_of_hf("llama", weight.name);
    require(name.has_value(), "gguf", "the weight ", weight.name, " has no name in GGUF");
    bool const matrix = weight.shape.size() > 1;
    Storage const kept = matrix ? detail::matrix_storage(storage, weight.shape.back()) : Storage::f32;
    tensors.push_back({*name, kept, weight.shape, {}, [&model, &config, weight, i, kept, matrix](AtomicFile& file) {
                         Index const cols = weight.shape.back(), rows = matrix ? weight.shape.front() : 1;
                         std::vector<T> values(static_cast<std::size_t>(rows * cols));
                         model.download_weight(i, true, values);
                         if (weight.name.find(".q_proj.") != std::string::npos || weight.name.find(".k_proj.") != std::string::npos)
                           detail::interleave_rotary_pairs(values, matrix ? rows : cols, matrix ? cols : 1, config.head_dim);
                         std::vector<std::byte> bytes(static_cast<std::size_t>(row_bytes(kept, cols)));
                         for (Index row = 0; row < rows; ++row) {
                           encode_row(kept, values.data() + row * cols, cols, bytes.data());
                           file.write(bytes);
                         }
                       }});
  }
  write_gguf(path, metadata, tensors);
}

}  // namespace graft
