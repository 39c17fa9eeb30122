// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/io/gguf_config.hpp>
#include <graft/io/gguf_names.hpp>
#include <graft/io/printable.hpp>
#include <graft/quant/decode.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace graft {

namespace detail {

class GgufConfigReader {
 public:
  explicit GgufConfigReader(GgufFile const& file) : file_(file), architecture_(file.architecture()) {}

  [[nodiscard]] ModelConfig read() {
    check(find_gguf_names(architecture_) != nullptr, "the architecture must be ", gguf_architectures, ": got ", printable(architecture_));
    bool const gemma = architecture_ == "gemma3", gpt2 = architecture_ == "gpt2";
    config_.model_type = gemma ? "gemma3_text" : architecture_;
    read_sizes();
    std::string_view const eps = gpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
    config_.norm_eps = number(eps).value_or(0);
    check(config_.norm_eps > 0, key(eps), " is missing or not positive");
    config_.tie_word_embeddings = file_.find_tensor("output.weight") == nullptr;
    config_.attention_bias = file_.find_tensor(gpt2 ? "blk.0.attn_qkv.bias" : "blk.0.attn_q.bias") != nullptr;
    config_.mlp_bias = file_.find_tensor("blk.0.ffn_up.bias") != nullptr;
    config_.hidden_act = gemma || gpt2 ? "gelu_pytorch_tanh" : "silu";
    config_.final_logit_softcap = number("final_logit_softcapping").value_or(0);
    if (!gpt2) read_rope();
    if (gemma) read_gemma();
    if (architecture_ == "smollm3") read_smollm3();
    read_tokens();
    std::int64_t const type = file_.find<std::int64_t>("general.file_type").value_or(0);
    config_.dtype = type == 1 ? "float16" : type == 32 ? "bfloat16" : "float32";
    config_.validate(file_.path().string());
    return std::move(config_);
  }

 private:
  template <class... Parts>
  void check(bool condition, Parts const&... parts) const {
    require(condition, "config", file_.path().string(), ": ", parts...);
  }
  [[nodiscard]] std::string key(std::string_view name) const { return architecture_ + "." + std::string(name); }

  /// An integer; a list of one value a layer counts if all are equal.
  [[nodiscard]] std::optional<Index> integer(std::string_view name) const {
    std::string const full = key(name);
    if (!file_.has(full)) return std::nullopt;
    if (!file_.is_array(full)) return file_.get<std::int64_t>(full);
    auto const values = file_.get<std::vector<std::int64_t>>(full);
    check(!values.empty() && std::ranges::count(values, values.front()) == std::ssize(values), full,
          " differs from layer to layer, which is not supported");
    return values.front();
  }
  [[nodiscard]] Index required(std::string_view name) const {
    auto const value = integer(name);
    check(value.has_value(), "the key ", key(name), " is missing");
    return *value;
  }

  /// A number whose f32 is turned into the decimal that was meant.
  [[nodiscard]] std::optional<double> number(std::string_view name) const {
    auto const value = file_.find<double>(key(name));
    if (!value || !std::isfinite(*value) || *value != static_cast<double>(static_cast<float>(*value))) return value;
    char digits[64];
    auto const end = std::to_chars(digits, digits + sizeof digits, static_cast<float>(*value));
    double shortest = 0;
    std::from_chars(digits, end.ptr, shortest);
    return shortest;
  }

  void read_sizes() {
    GgufTensor const* const embedding = file_.find_tensor("token_embd.weight");
    check(embedding != nullptr, "the tensor token_embd.weight is missing");
    check(embedding->shape.size() == 2, "token_embd.weight must have 2 dimensions: got ", embedding->shape.size());
    config_.vocab_size = embedding->shape[0];
    config_.hidden_size = required("embedding_length");
    check(embedding->shape[1] == config_.hidden_size, "the rows of token_embd.weight have ", embedding->shape[1], " elements, but ",
          key("embedding_length"), " is ", config_.hidden_size);
    config_.intermediate_size = required("feed_forward_length");
    config_.num_hidden_layers = required("block_count");
    config_.max_position_embeddings = required("context_length");
    config_.num_attention_heads = required("attention.head_count");
    config_.num_key_value_heads = integer("attention.head_count_kv").value_or(config_.num_attention_heads);
    if (auto const length = integer("attention.key_length")) {
      config_.head_dim = *length;
    } else {
      check(config_.num_attention_heads > 0 && config_.hidden_size % config_.num_attention_heads == 0, key("embedding_length"), "=",
            config_.hidden_size, " must be a multiple of the number of heads ", config_.num_attention_heads);
      config_.head_dim = config_.hidden_size / config_.num_attention_heads;
    }
    for (char const* const name : {"attention.value_length", "rope.dimension_count"}) {
      Index const length = integer(name).value_or(config_.head_dim);
      check(length == config_.head_dim, key(name), " must be the head size ", config_.head_dim, ": got ", length);
    }
    check(integer("expert_count").value_or(0) == 0, "mixtures of experts are not supported");
  }

  void read_rope() {
    using Kind = RopeScaling::Kind;
    config_.rope_theta = number("rope.freq_base").value_or(architecture_ == "gemma3" ? 1e6 : 10000.0);
    std::string const type = file_.find<std::string>(key("rope.scaling.type")).value_or("none");
    RopeScaling& scaling = config_.rope_scaling;
    if (type != "none") {
      check(type == "linear" || type == "yarn", key("rope.scaling.type"), " must be none, linear or yarn: got ", printable(type));
      scaling.kind = type == "linear" ? Kind::linear : Kind::yarn;
      auto const factor = number("rope.scaling.factor");
      check(factor.has_value(), "the key ", key("rope.scaling.factor"), " is missing");
      scaling.factor = *factor;
    }
    if (scaling.kind == Kind::yarn) {
      scaling.original_max_position_embeddings = integer("rope.scaling.original_context_length").value_or(config_.max_position_embeddings);
      scaling.beta_fast = number("rope.scaling.yarn_beta_fast").value_or(32);
      scaling.beta_slow = number("rope.scaling.yarn_beta_slow").value_or(1);
      double const factor = number("rope.scaling.attn_factor").value_or(1);
      if (factor != 1) scaling.attention_factor = factor * (0.1 * std::log(scaling.factor) + 1);
    }
    if (GgufTensor const* const divisors = file_.find_tensor("rope_freqs.weight")) read_llama3(*divisors);
  }

  /// Finds the Llama 3 scaling whose divisors are those of the file. All released models have low and high frequency factors
  /// 1 and 4 and an original context of 8192; the factor is the largest divisor.
  void read_llama3(GgufTensor const& tensor) {
    Index const pairs = config_.head_dim / 2;
    check(tensor.shape == std::vector<Index>{pairs}, "rope_freqs.weight must have head size / 2 = ", pairs, " elements");
    std::vector<float> divisors(static_cast<std::size_t>(pairs));
    decode_row(tensor.storage(), tensor.bytes.data(), pairs, divisors.data());
    RopeScaling scaling{.kind = RopeScaling::Kind::llama3, .factor = static_cast<double>(*std::ranges::max_element(divisors)),
                        .original_max_position_embeddings = 8192};
    if (scaling.factor == 1 && *std::ranges::min_element(divisors) == 1.0f) return;
    check(config_.rope_scaling.kind == RopeScaling::Kind::none, "rope_freqs.weight and ", key("rope.scaling.type"), " contradict each other");
    for (Index i = 0; i < pairs; ++i) {
      double const turns = 8192 * std::pow(config_.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(config_.head_dim)) /
                           (2 * std::numbers::pi);
      double const smooth = std::clamp((turns - 1) / 3, 0.0, 1.0);
      double const expected = 1 / ((1 - smooth) / scaling.factor + smooth);
      double const got = static_cast<double>(divisors[static_cast<std::size_t>(i)]);
      check(std::abs(got - expected) <= 1e-4 * expected, "rope_freqs.weight does not follow Llama 3's scaling: element ", i, " is ", got,
            ", not ", expected);
    }
    config_.rope_scaling = scaling;
  }

  /// What llama.cpp knows about Gemma 3 and the file does not say.
  void read_gemma() {
    config_.rope_local_theta = number("rope.freq_base_swa").value_or(10000);
    config_.sliding_window = required("attention.sliding_window");
    Index const pattern = integer("attention.sliding_window_pattern").value_or(6);
    check(pattern >= 1, key("attention.sliding_window_pattern"), " must be at least 1: got ", pattern);
    check(config_.num_hidden_layers <= 4096, key("block_count"), " is too large: ", config_.num_hidden_layers);
    for (Index layer = 0; layer < config_.num_hidden_layers; ++layer) config_.layer_is_sliding.push_back((layer + 1) % pattern != 0);
    constexpr Index layers_of_27b = 62;
    if (config_.num_hidden_layers == layers_of_27b)
      config_.attention_scale = 1 / std::sqrt(static_cast<double>(config_.hidden_size) / static_cast<double>(config_.num_attention_heads));
  }

  /// llama.cpp's fixed rule: every fourth layer has no rope.
  void read_smollm3() {
    check(config_.num_hidden_layers <= 4096, key("block_count"), " is too large: ", config_.num_hidden_layers);
    for (Index layer = 0; layer < config_.num_hidden_layers; ++layer) config_.layer_uses_rope.push_back((layer + 1) % 4 != 0);
  }

  void read_tokens() {
    auto const id = [&](std::string const& name) -> std::optional<int> {
      std::string const full = "tokenizer.ggml." + name + "_token_id";
      auto const value = file_.find<std::int64_t>(full);
      if (!value || *value < 0 || *value == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
      check(*value < config_.vocab_size, full, " must be below the vocabulary size ", config_.vocab_size, ": got ", *value);
      return static_cast<int>(*value);
    };
    config_.bos_token_id = id("bos");
    config_.pad_token_id = id("padding");
    for (char const* const name : {"eos", "eot", "eom"})
      if (auto const token = id(name); token && std::ranges::find(config_.eos_token_ids, *token) == config_.eos_token_ids.end())
        config_.eos_token_ids.push_back(*token);
  }

  GgufFile const& file_;
  std::string architecture_;
  ModelConfig config_;
};

}  // namespace detail

GRAFT_INLINE ModelConfig read_gguf_config(GgufFile const& file) { return detail::GgufConfigReader(file).read(); }

}  // namespace graft
