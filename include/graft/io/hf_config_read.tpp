// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/io/hf_config.hpp>
#include <graft/io/hf_family.hpp>
#include <graft/io/json_file.hpp>
#include <graft/io/printable.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace graft {

namespace detail {

[[nodiscard]] inline int token_id(JsonObject const& object, std::string_view key, Json const& value) {
  Index const id = object.to_integer(value, key);
  object.require_that(id <= std::numeric_limits<int>::max(), key, " is too large: ", id);
  return static_cast<int>(id);
}

/// A token id, or none for null and for the -1 of old files.
[[nodiscard]] inline std::optional<int> find_token_id(JsonObject const& object, std::string_view key) {
  Json const* const value = object.find(key);
  if (value == nullptr) return std::nullopt;
  int const id = token_id(object, key, *value);
  return id < 0 ? std::nullopt : std::optional(id);
}

/// `eos_token_id`, which may be one id or a list.
[[nodiscard]] inline std::vector<int> find_token_ids(JsonObject const& object, std::string_view key) {
  Json const* const value = object.find(key);
  if (value == nullptr) return {};
  std::vector<int> ids;
  if (!value->is_array()) ids.push_back(token_id(object, key, *value));
  else
    for (Json const& id : *value) ids.push_back(token_id(object, key, id));
  return ids;
}

/// Reads one config.json, whose root is `root` and whose language model is described in `text`.
class HfConfigReader {
 public:
  HfConfigReader(JsonObject const& root, JsonObject const& text, HfFamily const& family) : root_(root), text_(text), family_(family) {}

  [[nodiscard]] ModelConfig read() {
    config_.model_type = family_.model_type;
    refuse_unknown_arithmetic();
    if (family_.model_type == "gpt2") read_gpt2_sizes();
    else read_sizes();
    read_activation();
    if (family_.model_type != "gpt2") read_rope();
    read_windows();
    read_rope_layers();
    config_.tie_word_embeddings = text_.find_boolean("tie_word_embeddings").value_or(root_.boolean("tie_word_embeddings", family_.tied));
    config_.bos_token_id = either([](JsonObject const& at) { return find_token_id(at, "bos_token_id"); });
    config_.pad_token_id = either([](JsonObject const& at) { return find_token_id(at, "pad_token_id"); });
    config_.eos_token_ids = find_token_ids(root_, "eos_token_id");
    if (config_.eos_token_ids.empty()) config_.eos_token_ids = find_token_ids(text_, "eos_token_id");
    for (char const* const key : {"dtype", "torch_dtype"})
      for (JsonObject const* const at : {&text_, &root_})
        if (!dtype_) dtype_ = at->find_string(key);
    config_.dtype = dtype_.value_or("float32");
    return std::move(config_);
  }

 private:
  template <class F>
  auto either(F const& find) const -> decltype(find(std::declval<JsonObject const&>())) {
    auto value = find(root_);
    return value ? value : find(text_);
  }

  /// Switches that change the arithmetic and that graft's models do not have.
  void refuse_unknown_arithmetic() const {
    if (auto const quantization = root_.find_object("quantization_config"))
      root_.require_that(quantization->find_string("quant_method") == "bitsandbytes",
                         "weights quantised by other libraries than bitsandbytes are not read: quantization_config is ",
                         JsonObject::shown(quantization->json()));
    auto const absent = [&](std::string_view key) { text_.require_that(!text_.has(key), key, " is set, which graft does not support"); };
    auto const off = [&](std::string_view key) {
      text_.require_that(!text_.boolean(key, false), key, " is true, which graft does not support");
    };
    absent("attn_logit_softcapping");
    off("use_bidirectional_attention");
    off("scale_attn_by_inverse_layer_idx");
    off("add_cross_attention");
    text_.require_that(text_.boolean("scale_attn_weights", true), "scale_attn_weights is false, which graft does not support");
    double const partial = text_.number("partial_rotary_factor", 1);
    text_.require_that(partial == 1, "partial_rotary_factor must be 1: got ", partial);
  }

  [[nodiscard]] Index size(std::string_view key, Index otherwise) const {
    return otherwise > 0 ? text_.integer(key, otherwise) : text_.integer(key);
  }

  void read_sizes() {
    config_.vocab_size = size("vocab_size", family_.vocab_size);
    config_.hidden_size = text_.integer("hidden_size");
    config_.intermediate_size = text_.integer("intermediate_size");
    config_.num_hidden_layers = text_.integer("num_hidden_layers");
    config_.num_attention_heads = size("num_attention_heads", family_.num_attention_heads);
    config_.num_key_value_heads =
        text_.integer("num_key_value_heads", family_.num_key_value_heads > 0 ? family_.num_key_value_heads : config_.num_attention_heads);
    if (auto const head_dim = text_.find_integer("head_dim")) {
      config_.head_dim = *head_dim;
    } else if (family_.head_dim > 0) {
      config_.head_dim = family_.head_dim;
    } else {
      divide_heads();
    }
    config_.norm_eps = text_.number("rms_norm_eps", 1e-6);
    config_.max_position_embeddings = text_.integer("max_position_embeddings", family_.max_position_embeddings);
    config_.attention_bias = family_.always_biased || text_.boolean("attention_bias", false);
    config_.mlp_bias = text_.boolean("mlp_bias", false);
    if (family_.model_type != "gemma3_text") return;
    double const scalar = text_.number("query_pre_attn_scalar", 256);
    text_.require_that(std::isfinite(scalar) && scalar > 0, "query_pre_attn_scalar must be positive: got ", scalar);
    if (scalar != static_cast<double>(config_.head_dim)) config_.attention_scale = 1 / std::sqrt(scalar);
    config_.final_logit_softcap = text_.number("final_logit_softcapping", 0);
  }

  void read_gpt2_sizes() {
    config_.vocab_size = text_.integer("vocab_size");
    config_.hidden_size = text_.integer("n_embd");
    config_.intermediate_size = text_.integer("n_inner", config_.hidden_size <= 1 << 20 ? 4 * config_.hidden_size : 0);
    config_.num_hidden_layers = text_.integer("n_layer");
    config_.num_attention_heads = config_.num_key_value_heads = text_.integer("n_head");
    divide_heads();
    config_.max_position_embeddings = text_.integer("n_positions", family_.max_position_embeddings);
    config_.norm_eps = text_.number("layer_norm_epsilon", 1e-5);
    config_.attention_bias = config_.mlp_bias = true;
  }

  void divide_heads() {
    Index const heads = config_.num_attention_heads;
    text_.require_that(heads > 0 && config_.hidden_size % heads == 0, "hidden_size=", config_.hidden_size,
                       " must be a multiple of the number of attention heads=", heads, " where head_dim is not given");
    config_.head_dim = config_.hidden_size / heads;
  }

  void read_activation() {
    std::optional<std::string> given;
    for (char const* const key : {"hidden_activation", "hidden_act", "activation_function"})
      if (!given) given = text_.find_string(key);
    config_.hidden_act = given.value_or(std::string(family_.hidden_act));
    if (config_.hidden_act == "gelu_new") config_.hidden_act = "gelu_pytorch_tanh";  // the same function
    text_.require_that(config_.hidden_act == family_.hidden_act, "the activation of ", family_.model_type, " must be ", family_.hidden_act,
                       ": got ", printable(config_.hidden_act));
  }

  void read_rope() {
    config_.rope_theta = text_.number("rope_theta", family_.rope_theta);
    config_.rope_local_theta = text_.number("rope_local_base_freq", 10000);
    auto const parameters = text_.find_object("rope_parameters");
    if (!parameters) {
      if (auto const scaling = text_.find_object("rope_scaling")) config_.rope_scaling = read_scaling(*scaling);
      return;
    }
    auto const full = parameters->find_object("full_attention");
    auto const sliding = parameters->find_object("sliding_attention");
    if (!full && !sliding) {
      config_.rope_theta = parameters->number("rope_theta", config_.rope_theta);
      config_.rope_scaling = read_scaling(*parameters);
      return;
    }
    text_.require_that(family_.model_type == "gemma3_text", "rope_parameters a layer type are not known for ", family_.model_type);
    if (full) {
      config_.rope_theta = full->number("rope_theta", config_.rope_theta);
      config_.rope_scaling = read_scaling(*full);
    }
    if (sliding) {
      config_.rope_local_theta = sliding->number("rope_theta", config_.rope_local_theta);
      sliding->require_that(read_scaling(*sliding).kind == RopeScaling::Kind::none, "rope_type must be default in sliding layers");
    }
  }

  [[nodiscard]] RopeScaling read_scaling(JsonObject const& at) const {
    using Kind = RopeScaling::Kind;
    for (auto const& [key, value] : at.json().items()) {
      constexpr std::string_view known[] = {"rope_type", "type", "rope_theta", "factor", "low_freq_factor", "high_freq_factor",
                                            "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow",
                                            "partial_rotary_factor", "finetuned", "mscale", "mscale_all_dim"};
      at.require_that(value.is_null() || std::ranges::find(known, key) != std::end(known), "the rope setting ", printable(key),
                      " is not supported");
    }
    double const partial = at.number("partial_rotary_factor", 1);
    at.require_that(partial == 1, "partial_rotary_factor must be 1: got ", partial);
    std::string const type = at.find_string("rope_type").value_or(at.find_string("type").value_or("default"));
    RopeScaling scaling;
    if (type == "default") return scaling;
    at.require_that(type == "linear" || type == "llama3" || type == "yarn" || type == "dynamic",
                    "rope_type must be default, linear, dynamic, llama3 or yarn: got ", printable(type));
    scaling.kind = type == "linear" ? Kind::linear : type == "dynamic" ? Kind::dynamic : type == "llama3" ? Kind::llama3 : Kind::yarn;
    scaling.factor = at.number("factor");
    if (scaling.kind == Kind::linear || scaling.kind == Kind::dynamic) return scaling;
    scaling.original_max_position_embeddings = at.integer(
        "original_max_position_embeddings", text_.integer("original_max_position_embeddings", config_.max_position_embeddings));
    if (scaling.kind == Kind::llama3) {
      scaling.low_freq_factor = at.number("low_freq_factor");
      scaling.high_freq_factor = at.number("high_freq_factor");
    } else {
      double const scale = at.number("mscale", 0), scale_all = at.number("mscale_all_dim", 0);
      auto const magnitude = [&](double m) { return scaling.factor <= 1 ? 1.0 : 0.1 * m * std::log(scaling.factor) + 1; };
      scaling.attention_factor = at.number("attention_factor", scale != 0 && scale_all != 0 ? magnitude(scale) / magnitude(scale_all) : 0);
      scaling.beta_fast = at.number("beta_fast", 32);
      scaling.beta_slow = at.number("beta_slow", 1);
    }
    return scaling;
  }

  void set_sliding(auto const& is_sliding) {
    for (Index layer = 0; layer < std::min<Index>(config_.num_hidden_layers, 4096); ++layer)
      config_.layer_is_sliding.push_back(is_sliding(layer));
  }

  void read_windows() {
    std::string_view const type = family_.model_type;
    bool const optional = type == "qwen2" || type == "qwen3" || type == "smollm3";
    if (type == "gpt2" || type == "llama" || (optional && !text_.boolean("use_sliding_window", false))) return;
    // Only null switches it off; a file without the key means the default of the class.
    bool const mentioned = text_.json().contains("sliding_window");
    config_.sliding_window = text_.integer("sliding_window", mentioned ? 0 : family_.sliding_window);
    std::vector<Json> const types = text_.array("layer_types");
    if (config_.sliding_window == 0) {
      for (Json const& layer : types)
        text_.require_that(layer == "full_attention", "layer_types has ", JsonObject::shown(layer), ", but there is no sliding_window");
      return;
    }
    if (!types.empty()) {
      for (Json const& layer : types) {
        text_.require_that(layer == "full_attention" || layer == "sliding_attention",
                           "layer_types must hold full_attention and sliding_attention: got ", JsonObject::shown(layer));
        config_.layer_is_sliding.push_back(layer == "sliding_attention");
      }
    } else if (type == "gemma3_text") {
      Index const pattern = text_.integer("sliding_window_pattern", text_.integer("_sliding_window_pattern", 6));
      text_.require_that(pattern >= 1, "sliding_window_pattern must be at least 1: got ", pattern);
      set_sliding([pattern](Index layer) { return (layer + 1) % pattern != 0; });
    } else if (optional) {
      Index const full = text_.integer("max_window_layers");
      set_sliding([full](Index layer) { return layer >= full; });
    } else {
      set_sliding([](Index) { return true; });
    }
    if (std::ranges::find(config_.layer_is_sliding, true) == config_.layer_is_sliding.end()) {
      config_.layer_is_sliding.clear();
      config_.sliding_window = 0;
    }
  }

  /// SmolLM3's `no_rope_layers` holds, in spite of its name, 1 for the layers that do have rope.
  void read_rope_layers() {
    if (family_.model_type != "smollm3") return;
    for (Json const& uses : text_.array("no_rope_layers")) config_.layer_uses_rope.push_back(text_.to_integer(uses, "no_rope_layers") != 0);
    if (!config_.layer_uses_rope.empty()) return;
    Index const interval = text_.integer("no_rope_layer_interval", 4);
    text_.require_that(interval >= 1, "no_rope_layer_interval must be at least 1: got ", interval);
    for (Index layer = 0; layer < std::min<Index>(config_.num_hidden_layers, 4096); ++layer)
      config_.layer_uses_rope.push_back((layer + 1) % interval != 0);
  }

  JsonObject const& root_;
  JsonObject const& text_;
  HfFamily const& family_;
  ModelConfig config_;
  std::optional<std::string> dtype_;
};

}  // namespace detail

GRAFT_INLINE ModelConfig read_hf_config(std::filesystem::path const& directory) {
  std::error_code ignored;
  bool const is_directory = std::filesystem::is_directory(directory, ignored);
  std::filesystem::path const path = is_directory ? directory / "config.json" : directory;
  detail::Json const json = detail::parse_json_file(path, "config");
  detail::JsonObject const root(json, "config", path.string());
  std::string const type = root.string("model_type");
  detail::HfFamily const* const family = detail::find_hf_family(type == "gemma3" ? "gemma3_text" : type);
  root.require_that(family != nullptr, "model_type must be one of ", detail::hf_family_names(), ": got ", printable(type));
  auto const text = type == "gemma3" ? root.find_object("text_config") : std::nullopt;
  ModelConfig config = detail::HfConfigReader(root, text ? *text : root, *family).read();
  config.validate(path.string());
  config.eos_token_ids = read_generation_config(is_directory ? directory : directory.parent_path(), config).eos_token_ids;
  return config;
}

GRAFT_INLINE GenerationDefaults read_generation_config(std::filesystem::path const& directory, ModelConfig const& config) {
  GenerationDefaults defaults{.eos_token_ids = {}, .bos_token_id = config.bos_token_id, .pad_token_id = config.pad_token_id, .sampling = {}, .max_new_tokens = {}};
  std::filesystem::path const path = directory / "generation_config.json";
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    detail::Json const json = detail::parse_json_file(path, "config");
    detail::JsonObject const root(json, "config", path.string());
    defaults.eos_token_ids = detail::find_token_ids(root, "eos_token_id");
    if (auto const id = detail::find_token_id(root, "bos_token_id")) defaults.bos_token_id = id;
    if (auto const id = detail::find_token_id(root, "pad_token_id")) defaults.pad_token_id = id;
    defaults.max_new_tokens = root.find_integer("max_new_tokens");
    Sampling& sampling = defaults.sampling;
    sampling.greedy = !root.boolean("do_sample", false);
    sampling.temperature = root.number("temperature", sampling.temperature);
    sampling.top_k = root.integer("top_k", sampling.greedy ? 0 : 50);
    sampling.top_p = root.number("top_p", sampling.top_p);
    sampling.min_p = root.number("min_p", sampling.min_p);
    sampling.repetition_penalty = root.number("repetition_penalty", sampling.repetition_penalty);
    // A greedy model may say temperature 0, which the filters cannot divide by and greedy does not use.
    if (sampling.greedy) sampling = {.greedy = true, .repetition_penalty = sampling.repetition_penalty};
    try {
      sampling.validate();
    } catch (Error const& error) {
      fail("config", path.string(), ": ", error.what());
    }
  }
  for (int const id : config.eos_token_ids)
    if (std::ranges::find(defaults.eos_token_ids, id) == defaults.eos_token_ids.end()) defaults.eos_token_ids.push_back(id);
  for (int const id : defaults.eos_token_ids) require(id >= 0, "config", path.string(), ": eos_token_id must not be negative: got ", id);
  return defaults;
}

}  // namespace graft
