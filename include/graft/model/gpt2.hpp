// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/nn/layer_norm.hpp>
#include <graft/nn/mlp.hpp>
#include <graft/nn/qkv.hpp>

#include <array>
#include <string_view>

namespace graft {

/// GPT-2: LayerNorm before each branch, learned positions added to the embedding, q, k and v in one product, an MLP with
/// GELU (tanh), biases everywhere, tied head. Its dropouts (embd_pdrop, attn_pdrop, resid_pdrop) are not applied: fine-tuning
/// runs as with all three at 0. Its files hold the matrices (in, out), see io/conv1d.hpp.
/// Source: Radford et al., "Language models are unsupervised multitask learners", 2019.
struct Gpt2 {
  static constexpr std::array<std::string_view, 1> model_types{"gpt2"};

  template <Scalar T, class B>
  using Norm = LayerNorm<T, B>;
  template <Scalar T, class B, class A>
  using Mlp = graft::Mlp<T, B, A, Activation::gelu_tanh>;
  template <Scalar T, class B, class A>
  using Qkv = FusedQkv<T, B, A>;

  static constexpr bool qk_norm = false;
  static constexpr bool qkv_bias = false;  // the configuration says that all of attention is biased
  static constexpr bool post_norms = false;
  static constexpr bool scaled_embedding = false;
  static constexpr bool learned_positions = true;
  static constexpr double norm_offset = 0;

  static constexpr char const* embedding_name = "transformer.wte";
  static constexpr char const* positions_name = "transformer.wpe";
  static constexpr char const* layers_name = "transformer.h";
  static constexpr char const* final_norm_name = "transformer.ln_f";
  static constexpr char const* head_name = "lm_head";
  static constexpr char const* input_norm_name = "ln_1";
  static constexpr char const* attention_name = "attn";
  static constexpr char const* mlp_norm_name = "ln_2";
  static constexpr char const* mlp_name = "mlp";
};

}  // namespace graft
