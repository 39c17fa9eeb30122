// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/io/atomic_file.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/io/hf_family.hpp>
#include <graft/io/json_file.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace graft {

namespace detail {

template <class V>
[[nodiscard]] Json json_or_null(std::optional<V> const& value) {
  return value ? Json(*value) : Json();
}

/// One id as a number, several as a list, none as null.
[[nodiscard]] inline Json json_of_ids(std::vector<int> const& ids) {
  if (ids.empty()) return {};
  return ids.size() == 1 ? Json(ids.front()) : Json(ids);
}

/// The scaling as transformers writes it, without rope_theta.
[[nodiscard]] inline Json json_of_scaling(RopeScaling const& scaling) {
  using Kind = RopeScaling::Kind;
  if (scaling.kind == Kind::none) return {{"rope_type", "default"}};
  Json json = {{"rope_type", std::string(name(scaling.kind))}, {"factor", scaling.factor}};
  if (scaling.kind == Kind::linear || scaling.kind == Kind::dynamic) return json;
  json["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
  if (scaling.kind == Kind::llama3) {
    json["low_freq_factor"] = scaling.low_freq_factor;
    json["high_freq_factor"] = scaling.high_freq_factor;
  } else {
    json["beta_fast"] = scaling.beta_fast;
    json["beta_slow"] = scaling.beta_slow;
    if (scaling.attention_factor != 0) json["attention_factor"] = scaling.attention_factor;
  }
  return json;
}

inline void write_rope(ModelConfig const& config, Json& json) {
  Json full = json_of_scaling(config.rope_scaling);
  json["rope_theta"] = config.rope_theta;
  json["rope_scaling"] = config.rope_scaling.kind == RopeScaling::Kind::none ? Json() : full;
  full["rope_theta"] = config.rope_theta;
  if (config.model_type != "gemma3_text") {
    json["rope_parameters"] = full;
    return;
  }
  json["rope_local_base_freq"] = config.rope_local_theta;
  json["rope_parameters"] = {{"full_attention", full},
                             {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", config.rope_local_theta}}}};
}

inline void write_windows(ModelConfig const& config, Json& json) {
  bool const sliding = config.sliding_window > 0;
  json["sliding_window"] = sliding ? Json(config.sliding_window) : Json();
  if (config.model_type == "qwen2" || config.model_type == "qwen3" || config.model_type == "smollm3") json["use_sliding_window"] = sliding;
  if (config.model_type == "mistral") return;  // its window holds for all layers
  Json types = Json::array();
  for (Index layer = 0; layer < config.num_hidden_layers; ++layer)
    types.push_back(config.is_sliding(layer) ? "sliding_attention" : "full_attention");
  json["layer_types"] = types;
  if (!sliding) return;
  // transformers before 4.53 know only where full layers begin (qwen) and how far they lie apart (gemma3).
  auto const& layers = config.layer_is_sliding;
  auto const first = std::find(layers.begin(), layers.end(), config.model_type != "gemma3_text") - layers.begin();
  if (config.model_type != "gemma3_text") json["max_window_layers"] = first;
  else
    json["sliding_window_pattern"] = first + 1;
}

inline void write_gpt2_sizes(ModelConfig const& config, Json& json) {
  json.update({{"n_embd", config.hidden_size},
               {"n_inner", config.intermediate_size},
               {"n_layer", config.num_hidden_layers},
               {"n_head", config.num_attention_heads},
               {"n_positions", config.max_position_embeddings},
               {"layer_norm_epsilon", config.norm_eps},
               {"activation_function", "gelu_new"}});
}

inline void write_sizes(ModelConfig const& config, Json& json) {
  json.update({{"hidden_size", config.hidden_size},
               {"intermediate_size", config.intermediate_size},
               {"num_hidden_layers", config.num_hidden_layers},
               {"num_attention_heads", config.num_attention_heads},
               {"num_key_value_heads", config.num_key_value_heads},
               {"head_dim", config.head_dim},
               {"max_position_embeddings", config.max_position_embeddings},
               {"rms_norm_eps", config.norm_eps},
               {"attention_bias", config.attention_bias},
               {"mlp_bias", config.mlp_bias}});
  write_rope(config, json);
  if (config.model_type != "llama") write_windows(config, json);
  if (config.model_type == "smollm3") {
    Json uses = Json::array();
    for (Index layer = 0; layer < config.num_hidden_layers; ++layer) uses.push_back(config.uses_rope(layer) ? 1 : 0);
    json["no_rope_layers"] = uses;
  }
  if (config.model_type != "gemma3_text") {
    json["hidden_act"] = config.hidden_act;
    return;
  }
  json["hidden_activation"] = config.hidden_act;
  double const scalar = config.attention_scale == 0 ? static_cast<double>(config.head_dim) : std::pow(config.attention_scale, -2);
  double const whole = std::round(scalar);
  json["query_pre_attn_scalar"] = std::abs(scalar - whole) < 1e-9 * whole ? Json(static_cast<Index>(whole)) : Json(scalar);
  json["final_logit_softcapping"] = config.final_logit_softcap > 0 ? Json(config.final_logit_softcap) : Json();
  json["attn_logit_softcapping"] = nullptr;
}

}  // namespace detail

GRAFT_INLINE void write_hf_config(ModelConfig const& config, std::filesystem::path const& directory, GenerationDefaults const& generation) {
  using detail::Json;
  config.validate("the configuration to write");
  std::string const type = config.model_type == "gemma3" ? "gemma3_text" : config.model_type;
  detail::HfFamily const* const family = detail::find_hf_family(type);
  require(family != nullptr, "config", "model_type must be one of ", detail::hf_family_names(), ": got ", config.model_type);
  std::vector<int> const& eos = generation.eos_token_ids.empty() ? config.eos_token_ids : generation.eos_token_ids;
  auto const bos = generation.bos_token_id ? generation.bos_token_id : config.bos_token_id;
  auto const pad = generation.pad_token_id ? generation.pad_token_id : config.pad_token_id;

  Json json = {{"architectures", {std::string(family->architecture)}},
               {"model_type", type},
               {"vocab_size", config.vocab_size},
               {"tie_word_embeddings", config.tie_word_embeddings},
               {"bos_token_id", detail::json_or_null(config.bos_token_id)},
               {"eos_token_id", detail::json_of_ids(config.eos_token_ids)},
               {"pad_token_id", detail::json_or_null(config.pad_token_id)},
               {"dtype", config.dtype},
               {"torch_dtype", config.dtype},
               {"use_cache", true}};
  if (type == "gpt2") detail::write_gpt2_sizes(config, json);
  else detail::write_sizes(config, json);
  write_atomically(directory / "config.json", json.dump(2) + "\n");

  Json defaults = {{"bos_token_id", detail::json_or_null(bos)}, {"eos_token_id", detail::json_of_ids(eos)}, {"pad_token_id", detail::json_or_null(pad)}};
  Sampling const& sampling = generation.sampling;
  if (!sampling.greedy) {
    defaults.update({{"do_sample", true}, {"temperature", sampling.temperature}, {"top_k", sampling.top_k}, {"top_p", sampling.top_p}});
    if (sampling.min_p > 0) defaults["min_p"] = sampling.min_p;
  }
  if (sampling.repetition_penalty != 1) defaults["repetition_penalty"] = sampling.repetition_penalty;
  if (generation.max_new_tokens) defaults["max_new_tokens"] = *generation.max_new_tokens;
  write_atomically(directory / "generation_config.json", defaults.dump(2) + "\n");
}

}  // namespace graft
