// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <string>
#include <string_view>

namespace graft::detail {

/// What transformers' configuration class of a model type assumes where `config.json` is silent; 0: the key is required.
struct HfFamily {
  std::string_view model_type;
  std::string_view architecture;
  std::string_view hidden_act;
  double rope_theta = 10000;
  Index max_position_embeddings = 0;
  bool tied = false;
  bool always_biased = false;  ///< q, k and v, whatever `attention_bias` says
  Index sliding_window = 0;
  Index vocab_size = 0;
  Index num_attention_heads = 0;
  Index num_key_value_heads = 0;  ///< 0: as many as attention heads
  Index head_dim = 0;             ///< 0: hidden_size / heads
};

inline constexpr HfFamily hf_families[] = {
    {.model_type = "llama", .architecture = "LlamaForCausalLM", .hidden_act = "silu", .max_position_embeddings = 2048},
    {.model_type = "mistral", .architecture = "MistralForCausalLM", .hidden_act = "silu", .max_position_embeddings = 131072,
     .sliding_window = 4096, .num_key_value_heads = 8},
    {.model_type = "qwen2", .architecture = "Qwen2ForCausalLM", .hidden_act = "silu", .max_position_embeddings = 32768,
     .always_biased = true, .sliding_window = 4096, .num_key_value_heads = 32},
    {.model_type = "qwen3", .architecture = "Qwen3ForCausalLM", .hidden_act = "silu", .max_position_embeddings = 32768,
     .sliding_window = 4096, .num_key_value_heads = 32, .head_dim = 128},
    {.model_type = "smollm3", .architecture = "SmolLM3ForCausalLM", .hidden_act = "silu", .rope_theta = 2e6,
     .max_position_embeddings = 32768, .tied = true, .num_key_value_heads = 4},
    {.model_type = "gemma3_text", .architecture = "Gemma3ForCausalLM", .hidden_act = "gelu_pytorch_tanh", .rope_theta = 1e6,
     .max_position_embeddings = 131072, .tied = true, .sliding_window = 4096, .vocab_size = 262208, .num_attention_heads = 8,
     .num_key_value_heads = 4, .head_dim = 256},
    {.model_type = "gpt2", .architecture = "GPT2LMHeadModel", .hidden_act = "gelu_pytorch_tanh", .max_position_embeddings = 1024,
     .tied = true},
};

[[nodiscard]] constexpr HfFamily const* find_hf_family(std::string_view model_type) {
  for (HfFamily const& family : hf_families)
    if (family.model_type == model_type) return &family;
  return nullptr;
}

/// "llama, mistral, …", for messages.
[[nodiscard]] inline std::string hf_family_names() {
  std::string names;
  for (HfFamily const& family : hf_families) names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return names;
}

}  // namespace graft::detail
