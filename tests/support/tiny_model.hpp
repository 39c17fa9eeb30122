// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/loss/token_batch.hpp>
#include <graft/model/config.hpp>
#include <graft/quant/host_tensor.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace graft::test {

/// A configuration of a few thousand parameters, with grouped queries.
inline ModelConfig tiny_config(std::string const& model_type = "llama") {
  ModelConfig config;
  config.model_type = model_type;
  config.vocab_size = 29;
  config.hidden_size = 12;
  config.intermediate_size = 20;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.head_dim = 4;
  config.norm_eps = 1e-5;
  config.rope_theta = 100;
  config.max_position_embeddings = 64;
  config.tie_word_embeddings = true;
  if (model_type == "gpt2") {
    config.num_key_value_heads = 4;
    config.head_dim = 3;
    config.attention_bias = config.mlp_bias = true;
  }
  if (model_type == "gemma3_text" || model_type == "gpt2") config.hidden_act = "gelu_pytorch_tanh";
  return config;
}

/// Seeded random weights of any name, made when asked for; the shape comes with the request's place in the model.
class RandomWeights {
 public:
  explicit RandomWeights(ModelConfig config, std::uint64_t seed = 1) : config_(std::move(config)), seed_(seed) {}

  [[nodiscard]] WeightProvider provider() {
    return {[this](std::string const& name) { return get(name); }, [](std::string const&) { return true; }};
  }

  [[nodiscard]] HostTensor get(std::string const& name) {
    auto const found = tensors_.find(name);
    if (found != tensors_.end()) return found->second;
    auto const shape = shape_of(name);
    Index size = 1;
    for (Index n : shape) size *= n;
    auto values = std::make_shared<std::vector<float>>(static_cast<std::size_t>(size));
    Rng rng(seed_, std::hash<std::string>{}(name));
    bool const norm = name.find("norm") != std::string::npos || (name.find(".ln_") != std::string::npos && name.ends_with(".weight"));
    double const scale = shape.size() == 1 ? 0.2 : 0.7 / std::sqrt(static_cast<double>(shape.back()));
    for (float& value : *values) value = static_cast<float>((norm ? 1.0 : 0.0) + scale * rng.normal());
    HostTensor tensor{Storage::f32, shape, reinterpret_cast<std::byte const*>(values->data()), values};
    tensors_.emplace(name, tensor);
    return tensor;
  }

 private:
  [[nodiscard]] std::vector<Index> shape_of(std::string const& name) const {
    auto const has = [&](char const* part) { return name.find(part) != std::string::npos; };
    Index const q = config_.num_attention_heads * config_.head_dim, kv = config_.num_key_value_heads * config_.head_dim;
    bool const bias = name.ends_with(".bias");
    auto const linear = [&](Index out, Index in) { return bias ? std::vector<Index>{out} : std::vector<Index>{out, in}; };
    if (has("embed_tokens") || has("lm_head")) return {config_.vocab_size, config_.hidden_size};
    if (has("q_proj")) return linear(q, config_.hidden_size);
    if (has("k_proj") || has("v_proj")) return linear(kv, config_.hidden_size);
    if (has("o_proj")) return linear(config_.hidden_size, q);
    if (has("gate_proj") || has("up_proj")) return linear(config_.intermediate_size, config_.hidden_size);
    if (has("down_proj")) return linear(config_.hidden_size, config_.intermediate_size);
    if (has(".wte")) return {config_.vocab_size, config_.hidden_size};
    if (has(".wpe")) return {config_.max_position_embeddings, config_.hidden_size};
    if (has("c_attn")) return linear(q + 2 * kv, config_.hidden_size);
    if (has("attn.c_proj")) return linear(config_.hidden_size, q);
    if (has("c_fc")) return linear(config_.intermediate_size, config_.hidden_size);
    if (has("mlp.c_proj")) return linear(config_.hidden_size, config_.intermediate_size);
    if (has("q_norm") || has("k_norm")) return {config_.head_dim};
    return {config_.hidden_size};
  }

  ModelConfig config_;
  std::uint64_t seed_;
  std::map<std::string, HostTensor> tensors_;
};

/// Packed random sequences of the given lengths; about half of the predictions are supervised.
inline TokenBatch random_batch(ModelConfig const& config, std::vector<int> const& lengths, std::uint64_t seed = 3) {
  Rng rng(seed);
  TokenBatch batch;
  batch.cu_seqlens.push_back(0);
  for (int length : lengths) {
    for (int i = 0; i < length; ++i)
      batch.ids.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(config.vocab_size))));
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.ids.size()));
  }
  for (std::size_t s = 0; s < lengths.size(); ++s)
    for (auto row = batch.cu_seqlens[s]; row + 1 < batch.cu_seqlens[s + 1]; ++row)
      if (rng.below(2) == 0 || row + 2 == batch.cu_seqlens[s + 1]) {
        batch.rows.push_back(row);
        batch.targets.push_back(batch.ids[static_cast<std::size_t>(row) + 1]);
      }
  return batch;
}

}  // namespace graft::test
