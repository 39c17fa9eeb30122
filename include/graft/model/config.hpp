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
  double attention_scale = 0;          ///< factor of q·k; 0: 1/√head_dim
  double final_logit_softcap = 0;      ///< c in c·tanh(logit / c); 0: none
  Index sliding_window = 0;            ///< positions a sliding layer sees, the own one included; 0: none
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

void check_size(std::string_view file, std::string_view name, Index value, Index limit);

void check_positive(std::string_view file, std::string_view name, double value);

void check_token(std::string_view file, std::string_view name, std::optional<int> id);

void check_layer_list(std::string_view file, std::string_view name, std::size_t size, Index layers);

void check_rope_scaling(std::string_view file, RopeScaling const& scaling, Index max_position_embeddings);

}  // namespace detail

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/model/config.tpp>
#endif
