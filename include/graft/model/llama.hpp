// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/nn/gated_mlp.hpp>
#include <graft/nn/qkv.hpp>
#include <graft/nn/rms_norm.hpp>

#include <array>
#include <string_view>

namespace graft {

/// The Llama family (Llama 1–3, SmolLM 1–3, Mistral): RMSNorm before each branch, rotary positions,
/// grouped queries, SwiGLU, tied or own head. This file is the pattern for another architecture: types for the parts,
/// switches for what differs, names as Hugging Face writes them. Sizes are run-time values in `ModelConfig`.
/// Source: Touvron et al., "LLaMA", 2023; Grattafiori et al., "The Llama 3 herd of models", 2024.
struct Llama {
  static constexpr std::array<std::string_view, 3> model_types{"llama", "mistral", "smollm3"};

  template <Scalar T, class B>
  using Norm = RmsNorm<T, B>;
  template <Scalar T, class B, class A>
  using Mlp = GatedMlp<T, B, A, Activation::silu>;
  template <Scalar T, class B, class A>
  using Qkv = SeparateQkv<T, B, A>;

  static constexpr bool qk_norm = false;        ///< RMSNorm over each head of q and k
  static constexpr bool qkv_bias = false;       ///< always biased; otherwise `attention_bias` of the configuration decides
  static constexpr bool post_norms = false;     ///< the output of each branch is normalised too
  static constexpr bool scaled_embedding = false;  ///< embeddings times sqrt(hidden_size)
  static constexpr bool learned_positions = false;  ///< a table of positions, `positions_name`, instead of rotations
  static constexpr double norm_offset = 0;      ///< added to norm gains of the file

  static constexpr char const* embedding_name = "model.embed_tokens";
  static constexpr char const* layers_name = "model.layers";
  static constexpr char const* final_norm_name = "model.norm";
  static constexpr char const* head_name = "lm_head";
  static constexpr char const* input_norm_name = "input_layernorm";
  static constexpr char const* attention_name = "self_attn";
  static constexpr char const* mlp_norm_name = "post_attention_layernorm";
  static constexpr char const* mlp_name = "mlp";
};

}  // namespace graft
