// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/config.hpp>

#include <graft/config.hpp>
#include <graft/core/error.hpp>

namespace graft {

namespace detail {

GRAFT_INLINE void check_size(std::string_view file, std::string_view name, Index value, Index limit) {
  require(value >= 1 && value <= limit, "config", name, " must be in 1..", limit, ": got ", value, " in ", file);
}

GRAFT_INLINE void check_positive(std::string_view file, std::string_view name, double value) {
  require(std::isfinite(value) && value > 0, "config", name, " must be positive and finite: got ", value, " in ", file);
}

GRAFT_INLINE void check_token(std::string_view file, std::string_view name, std::optional<int> id) {
  require(!id || *id >= 0, "config", name, " must not be negative: got ", id.value_or(0), " in ", file);
}

GRAFT_INLINE void check_layer_list(std::string_view file, std::string_view name, std::size_t size, Index layers) {
  require(size == 0 || size == static_cast<std::size_t>(layers), "config", name, " must have an entry per layer: got ",
          size, " for num_hidden_layers=", layers, " in ", file);
}

GRAFT_INLINE void check_rope_scaling(std::string_view file, RopeScaling const& scaling, Index max_position_embeddings) {
  using Kind = RopeScaling::Kind;
  if (scaling.kind == Kind::none) return;
  require(std::isfinite(scaling.factor) && scaling.factor >= 1, "config", "rope factor must be at least 1: got ",
          scaling.factor, " in ", file);
  if (scaling.kind == Kind::linear || scaling.kind == Kind::dynamic) return;
  Index const original = scaling.original_max_position_embeddings;
  require(original >= 1 && original <= max_position_embeddings, "config",
          "rope original_max_position_embeddings must be in 1..max_position_embeddings=", max_position_embeddings,
          ": got ", original, " in ", file);
  if (scaling.kind == Kind::llama3) {
    check_positive(file, "rope low_freq_factor", scaling.low_freq_factor);
    require(std::isfinite(scaling.high_freq_factor) && scaling.high_freq_factor > scaling.low_freq_factor, "config",
            "rope high_freq_factor must be greater than low_freq_factor=", scaling.low_freq_factor, ": got ",
            scaling.high_freq_factor, " in ", file);
  } else {
    check_positive(file, "rope beta_slow", scaling.beta_slow);
    require(std::isfinite(scaling.beta_fast) && scaling.beta_fast > scaling.beta_slow, "config",
            "rope beta_fast must be greater than beta_slow=", scaling.beta_slow, ": got ", scaling.beta_fast, " in ",
            file);
    require(std::isfinite(scaling.attention_factor) && scaling.attention_factor >= 0, "config",
            "rope attention_factor must not be negative: got ", scaling.attention_factor, " in ", file);
  }
}

}  // namespace detail

GRAFT_INLINE void ModelConfig::validate(std::string_view file) const {
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
  require(head_dim % 2 == 0 || model_type == "gpt2", "config", "head_dim must be even, rope turns pairs: got ",
          head_dim, " in ", file);
  check_positive(file, "norm_eps", norm_eps);
  check_positive(file, "rope_theta", rope_theta);
  check_positive(file, "rope_local_theta", rope_local_theta);
  check_rope_scaling(file, rope_scaling, max_position_embeddings);
  require(!hidden_act.empty(), "config", "hidden_act is empty in ", file);
  require(std::isfinite(attention_scale) && attention_scale >= 0, "config",
          "attention_scale must not be negative: got ", attention_scale, " in ", file);
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
