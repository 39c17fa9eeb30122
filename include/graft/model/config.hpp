// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// How the rope frequencies θ_i = base^(−2i/head_dim) are changed for contexts longer than the ones first trained on.
/// - linear: θ / factor.
/// - llama3: wavelengths below original/high_freq_factor keep θ, those above original/low_freq_factor get θ / factor,
///   a smooth mixture between them.
/// - yarn (Peng et al. 2023): mixes θ and θ / factor between the dimensions that turn beta_fast and beta_slow times in
///   the original context, and multiplies cos and sin by attention_factor.
/// - dynamic ("NTK-aware" scaling, bloc97 and emozilla 2023): a sequence longer than max_position_embeddings raises the base
///   so far that the slowest pair turns about factor·length/max_position_embeddings - (factor - 1) times slower.
struct RopeScaling {
  enum class Kind { none, linear, llama3, yarn, dynamic };

  Kind kind = Kind::none;
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  Index original_max_position_embeddings = 0;
  double attention_factor = 0;  ///< 0: yarn's own 0.1 ln(factor) + 1
  double beta_fast = 32;
  double beta_slow = 1;

  friend bool operator==(RopeScaling const&, RopeScaling const&) = default;
};

[[nodiscard]] constexpr std::string_view name(RopeScaling::Kind kind) {
  constexpr std::string_view names[] = {"none", "linear", "llama3", "yarn", "dynamic"};
  return names[static_cast<std::size_t>(kind)];
}

/// The sizes and switches of a decoder-only transformer, in the words of Hugging Face's `config.json`. Whether they come
/// from there (`read_hf_config`) or from a GGUF file (`read_gguf_config`), equal models give equal configs.
struct ModelConfig {
  std::string model_type;  ///< "llama", "qwen2", "qwen3", "gemma3_text", …

  Index vocab_size = 0;
  Index hidden_size = 0;
  Index intermediate_size = 0;
  Index num_hidden_layers = 0;
  Index num_attention_heads = 0;
  Index num_key_value_heads = 0;
  Index head_dim = 0;

  double norm_eps = 1e-5;
  double rope_theta = 10000;
  double rope_local_theta = 10000;  ///< of sliding layers in models that have two bases (gemma3)
  RopeScaling rope_scaling;         ///< of the layers that use rope_theta
  Index max_position_embeddings = 0;

  bool tie_word_embeddings = false;
  bool attention_bias = false;  ///< q, k and v have a bias; the architecture says whether the output projection has one
  bool mlp_bias = false;
  std::string hidden_act = "silu";
  double attention_scale = 0;        ///< factor of q·k; 0: 1/√head_dim
  double final_logit_softcap = 0;    ///< c in c·tanh(logit / c); 0: none
  Index sliding_window = 0;          ///< positions a sliding layer sees, the own one included; 0: none
  std::vector<bool> layer_is_sliding;  ///< empty: none
  std::vector<bool> layer_uses_rope;   ///< empty: all

  std::optional<int> bos_token_id;
  std::optional<int> pad_token_id;
  std::vector<int> eos_token_ids;
  std::string dtype = "float32";  ///< what the weights were saved in: "float32", "bfloat16", "float16"

  friend bool operator==(ModelConfig const&, ModelConfig const&) = default;

  /// The factor of q·k.
  [[nodiscard]] double softmax_scale() const {
    return attention_scale != 0 ? attention_scale : 1 / std::sqrt(static_cast<double>(head_dim));
  }
  [[nodiscard]] bool is_sliding(Index layer) const {
    return !layer_is_sliding.empty() && layer_is_sliding[static_cast<std::size_t>(layer)];
  }
  [[nodiscard]] bool uses_rope(Index layer) const {
    return layer_uses_rope.empty() || layer_uses_rope[static_cast<std::size_t>(layer)];
  }

  /// Error (naming `file`) for sizes that are zero, absurd or do not fit each other, and for switches that contradict.
  void validate(std::string_view file) const;
};

namespace detail {

inline void check_size(std::string_view file, std::string_view name, Index value, Index limit) {
  require(value >= 1 && value <= limit, "config", name, " must be in 1..", limit, ": got ", value, " in ", file);
}

inline void check_positive(std::string_view file, std::string_view name, double value) {
  require(std::isfinite(value) && value > 0, "config", name, " must be positive and finite: got ", value, " in ", file);
}

inline void check_token(std::string_view file, std::string_view name, std::optional<int> id) {
  require(!id || *id >= 0, "config", name, " must not be negative: got ", id.value_or(0), " in ", file);
}

inline void check_layer_list(std::string_view file, std::string_view name, std::size_t size, Index layers) {
  require(size == 0 || size == static_cast<std::size_t>(layers), "config", name, " must have an entry per layer: got ", size,
          " for num_hidden_layers=", layers, " in ", file);
}

inline void check_rope_scaling(std::string_view file, RopeScaling const& scaling, Index max_position_embeddings) {
  using Kind = RopeScaling::Kind;
  if (scaling.kind == Kind::none) return;
  require(std::isfinite(scaling.factor) && scaling.factor >= 1, "config", "rope factor must be at least 1: got ",
          scaling.factor, " in ", file);
  if (scaling.kind == Kind::linear || scaling.kind == Kind::dynamic) return;
  Index const original = scaling.original_max_position_embeddings;
  require(original >= 1 && original <= max_position_embeddings, "config",
          "rope original_max_position_embeddings must be in 1..max_position_embeddings=", max_position_embeddings, ": got ",
          original, " in ", file);
  if (scaling.kind == Kind::llama3) {
    check_positive(file, "rope low_freq_factor", scaling.low_freq_factor);
    require(std::isfinite(scaling.high_freq_factor) && scaling.high_freq_factor > scaling.low_freq_factor, "config",
            "rope high_freq_factor must be greater than low_freq_factor=", scaling.low_freq_factor, ": got ",
            scaling.high_freq_factor, " in ", file);
  } else {
    check_positive(file, "rope beta_slow", scaling.beta_slow);
    require(std::isfinite(scaling.beta_fast) && scaling.beta_fast > scaling.beta_slow, "config",
            "rope beta_fast must be greater than beta_slow=", scaling.beta_slow, ": got ", scaling.beta_fast, " in ", file);
    require(std::isfinite(scaling.attention_factor) && scaling.attention_factor >= 0, "config",
            "rope attention_factor must not be negative: got ", scaling.attention_factor, " in ", file);
  }
}

}  // namespace detail

inline void ModelConfig::validate(std::string_view file) const {
  using namespace detail;
  require(!model_type.empty(), "config", "model_type is empty in ", file);
  check_size(file, "vocab_size", vocab_size, 1 << 24);
  check_size(file, "hidden_size", hidden_size, 1 << 20);
  check_size(file, "intermediate_size", intermediate_size, 1 << 22);
  check_size(file, "num_hidden_layers", num_hidden_layers, 4096);
  check_size(file, "num_attention_heads", num_attention_heads, 1 << 14);
  check_size(file, "num_key_value_heads", num_key_value_heads, num_attention_heads);
  check_size(file, "head_dim", head_dim, 1 << 14);
  check_size(file, "max_position_embeddings", max_position_embeddings, Index{1} << 32);
  require(num_attention_heads % num_key_value_heads == 0, "config", "num_attention_heads=", num_attention_heads,
          " must be a multiple of num_key_value_heads=", num_key_value_heads, " in ", file);
  require(head_dim % 2 == 0 || model_type == "gpt2", "config", "head_dim must be even, rope turns pairs: got ", head_dim, " in ",
          file);
  check_positive(file, "norm_eps", norm_eps);
  check_positive(file, "rope_theta", rope_theta);
  check_positive(file, "rope_local_theta", rope_local_theta);
  check_rope_scaling(file, rope_scaling, max_position_embeddings);
  require(!hidden_act.empty(), "config", "hidden_act is empty in ", file);
  require(std::isfinite(attention_scale) && attention_scale >= 0, "config", "attention_scale must not be negative: got ",
          attention_scale, " in ", file);
  require(std::isfinite(final_logit_softcap) && final_logit_softcap >= 0, "config",
          "final_logit_softcap must not be negative: got ", final_logit_softcap, " in ", file);
  check_layer_list(file, "layer_is_sliding", layer_is_sliding.size(), num_hidden_layers);
  check_layer_list(file, "layer_uses_rope", layer_uses_rope.size(), num_hidden_layers);
  bool any_sliding = false;
  for (bool const sliding : layer_is_sliding) any_sliding = any_sliding || sliding;
  require(sliding_window >= 0, "config", "sliding_window must not be negative: got ", sliding_window, " in ", file);
  require(!any_sliding || sliding_window > 0, "config", "layers are sliding but sliding_window is 0 in ", file);
  check_token(file, "bos_token_id", bos_token_id);
  check_token(file, "pad_token_id", pad_token_id);
  for (int const id : eos_token_ids) check_token(file, "eos_token_id", id);
}

}  // namespace graft
