// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/llama.hpp>

namespace graft {

/// Gemma 3 text models: norms with gain 1 + w before and after each branch, q and k norms, GeGLU, embeddings times
/// sqrt(hidden_size), five layers of local attention to one of global, each kind with its rope base.
/// Source: Gemma Team, "Gemma 3 technical report", 2025.
struct Gemma3 : Llama {
  static constexpr std::array<std::string_view, 2> model_types{"gemma3_text", "gemma3"};

  template <Scalar T, class B, class A>
  using Mlp = GatedMlp<T, B, A, Activation::gelu_tanh>;

  static constexpr bool qk_norm = true;
  static constexpr bool post_norms = true;
  static constexpr bool scaled_embedding = true;
  static constexpr double norm_offset = 1;

  static constexpr char const* mlp_norm_name = "pre_feedforward_layernorm";
  static constexpr char const* attention_post_norm_name = "post_attention_layernorm";
  static constexpr char const* mlp_post_norm_name = "post_feedforward_layernorm";
};

}  // namespace graft
