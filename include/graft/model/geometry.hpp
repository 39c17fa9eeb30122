// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/model/config.hpp>
#include <graft/quant/host_tensor.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace graft {

namespace detail {

struct Geometry {
  std::string_view name, model_type;
  Index vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim;
  Index max_position_embeddings;
  double rope_theta;
  bool tie_word_embeddings;
};

// From the models' published config.json.
inline constexpr std::array<Geometry, 19> geometries{{
    {"smollm2-135m", "llama", 49152, 576, 1536, 30, 9, 3, 64, 8192, 1e5, true},
    {"smollm2-360m", "llama", 49152, 960, 2560, 32, 15, 5, 64, 8192, 1e5, true},
    {"smollm2-1.7b", "llama", 49152, 2048, 8192, 24, 32, 32, 64, 8192, 1.3e5, true},
    {"llama-7b", "llama", 32000, 4096, 11008, 32, 32, 32, 128, 2048, 1e4, false},
    {"llama-13b", "llama", 32000, 5120, 13824, 40, 40, 40, 128, 2048, 1e4, false},
    {"llama-33b", "llama", 32000, 6656, 17920, 60, 52, 52, 128, 2048, 1e4, false},
    {"llama-65b", "llama", 32000, 8192, 22016, 80, 64, 64, 128, 2048, 1e4, false},
    {"llama-3-8b", "llama", 128256, 4096, 14336, 32, 32, 8, 128, 8192, 5e5, false},
    {"llama-3-70b", "llama", 128256, 8192, 28672, 80, 64, 8, 128, 8192, 5e5, false},
    {"llama-3.2-1b", "llama", 128256, 2048, 8192, 16, 32, 8, 64, 131072, 5e5, true},
    {"llama-3.2-3b", "llama", 128256, 3072, 8192, 28, 24, 8, 128, 131072, 5e5, true},
    {"mistral-7b", "mistral", 32000, 4096, 14336, 32, 32, 8, 128, 32768, 1e4, false},
    {"qwen2.5-0.5b", "qwen2", 151936, 896, 4864, 24, 14, 2, 64, 32768, 1e6, true},
    {"qwen2.5-1.5b", "qwen2", 151936, 1536, 8960, 28, 12, 2, 128, 32768, 1e6, true},
    {"qwen2.5-7b", "qwen2", 152064, 3584, 18944, 28, 28, 4, 128, 32768, 1e6, false},
    {"qwen2.5-72b", "qwen2", 152064, 8192, 29568, 80, 64, 8, 128, 32768, 1e6, false},
    {"qwen3-0.6b", "qwen3", 151936, 1024, 3072, 28, 16, 8, 128, 40960, 1e6, true},
    {"qwen3-8b", "qwen3", 151936, 4096, 12288, 36, 32, 8, 128, 40960, 1e6, false},
    {"qwen3-32b", "qwen3", 151936, 5120, 25600, 64, 64, 8, 128, 40960, 1e6, false},
}};

}  // namespace detail

/// The names that `geometry` knows, for messages.
[[nodiscard]] inline std::string geometry_names() {
  std::string names;
  for (auto const& one : detail::geometries) names += (names.empty() ? "" : ", ") + std::string(one.name);
  return names;
}

[[nodiscard]] inline bool is_geometry(std::string_view name) {
  return std::any_of(detail::geometries.begin(), detail::geometries.end(), [&](auto const& one) { return one.name == name; });
}

/// The sizes of a published model, to plan for it without its files. Error: an unknown name; the message lists them.
[[nodiscard]] inline ModelConfig geometry(std::string_view name) {
  for (auto const& one : detail::geometries) {
    if (one.name != name) continue;
    ModelConfig config;
    config.model_type = one.model_type;
    config.vocab_size = one.vocab_size;
    config.hidden_size = one.hidden_size;
    config.intermediate_size = one.intermediate_size;
    config.num_hidden_layers = one.num_hidden_layers;
    config.num_attention_heads = one.num_attention_heads;
    config.num_key_value_heads = one.num_key_value_heads;
    config.head_dim = one.head_dim;
    config.max_position_embeddings = one.max_position_embeddings;
    config.rope_theta = one.rope_theta;
    config.tie_word_embeddings = one.tie_word_embeddings;
    config.dtype = "bfloat16";
    return config;
  }
  fail("geometry", "\"", name, "\" is none of ", geometry_names());
}

/// Weights for a model on the `Dry` backend: no bytes, the shapes that the model asks for. The linear modules' are in
/// `linear`, embeddings and an own head in `words`, as quantized checkpoints have them.
[[nodiscard]] inline WeightProvider planned_weights(Storage linear, Storage words) {
  auto const get = [=](std::string const& name) {
    bool const in_a_layer = name.find("layers.") != std::string::npos;
    return HostTensor{in_a_layer ? linear : words, {}, nullptr, nullptr, nullptr, true};
  };
  return {get, [](std::string const&) { return true; }};
}

}  // namespace graft
