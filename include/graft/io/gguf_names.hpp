// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace graft {

namespace detail {

struct GgufPart {
  std::string_view gguf;
  std::string_view hugging_face;
};

inline constexpr std::array<GgufPart, 11> llama_parts{{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
}};

/// Gemma 3 also normalises what attention and MLP give, and names its norms by their place.
inline constexpr std::array<GgufPart, 13> gemma3_parts{{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"post_attention_norm", "post_attention_layernorm"},
    {"ffn_norm", "pre_feedforward_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
    {"post_ffw_norm", "post_feedforward_layernorm"},
}};

inline constexpr std::array<GgufPart, 6> gpt2_parts{{
    {"attn_norm", "ln_1"},
    {"attn_qkv", "attn.c_attn"},
    {"attn_output", "attn.c_proj"},
    {"ffn_norm", "ln_2"},
    {"ffn_up", "mlp.c_fc"},
    {"ffn_down", "mlp.c_proj"},
}};

inline constexpr std::array<GgufPart, 3> llama_globals{{
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
}};

inline constexpr std::array<GgufPart, 4> gpt2_globals{{
    {"token_embd", "transformer.wte"},
    {"position_embd", "transformer.wpe"},
    {"output_norm", "transformer.ln_f"},
    {"output", "lm_head"},
}};

/// The names of an architecture: parts of a layer, what stands outside layers, and what Hugging Face puts before a layer's
/// number.
struct GgufNames {
  std::span<GgufPart const> parts;
  std::span<GgufPart const> globals;
  std::string_view layers;
};

inline constexpr std::string_view gguf_architectures = "llama, smollm3, qwen2, qwen3, gemma3 or gpt2";

/// nullptr for an architecture that graft does not have.
[[nodiscard]] inline GgufNames const* find_gguf_names(std::string_view architecture) {
  static constexpr GgufNames llama{llama_parts, llama_globals, "model.layers."};
  static constexpr GgufNames gemma3{gemma3_parts, llama_globals, "model.layers."};
  static constexpr GgufNames gpt2{gpt2_parts, gpt2_globals, "transformer.h."};
  if (architecture == "gemma3") return &gemma3;
  if (architecture == "gpt2") return &gpt2;
  for (std::string_view const like_llama : {"llama", "smollm3", "qwen2", "qwen3"})
    if (architecture == like_llama) return &llama;
  return nullptr;
}

}  // namespace detail

/// The Hugging Face name of a tensor of a GGUF file of that architecture, "model.layers.3.mlp.up_proj.weight" for
/// "blk.3.ffn_up.weight"; empty if it has none.
[[nodiscard]] inline std::optional<std::string> hf_name_of_gguf(std::string_view architecture, std::string_view name) {
  std::size_t const dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::string_view stem = name.substr(0, dot);
  std::string_view const suffix = name.substr(dot);
  if (suffix != ".weight" && suffix != ".bias") return std::nullopt;
  auto const find = [](std::span<detail::GgufPart const> parts, std::string_view part) {
    auto const found = std::ranges::find(parts, part, &detail::GgufPart::gguf);
    return found == parts.end() ? std::string_view{} : found->hugging_face;
  };
  auto const* const names = detail::find_gguf_names(architecture);
  if (names == nullptr) return std::nullopt;
  if (std::string_view const global = find(names->globals, stem); !global.empty())
    return std::string(global) + std::string(suffix);
  if (!stem.starts_with("blk.")) return std::nullopt;
  stem.remove_prefix(4);
  std::size_t const end = stem.find('.');
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  std::string_view const layer = stem.substr(0, end);
  std::string_view const part = find(names->parts, stem.substr(end + 1));
  bool const number = layer.find_first_not_of("0123456789") == std::string_view::npos && (layer.size() == 1 || layer[0] != '0');
  if (part.empty() || !number) return std::nullopt;
  return std::string(names->layers) + std::string(layer) + "." + std::string(part) + std::string(suffix);
}

/// The name in a GGUF file of the tensor with that Hugging Face name; empty if it has none.
[[nodiscard]] inline std::optional<std::string> gguf_name_of_hf(std::string_view architecture, std::string_view name) {
  auto const* const names = detail::find_gguf_names(architecture);
  std::size_t const dot = name.rfind('.');
  if (names == nullptr || dot == std::string_view::npos) return std::nullopt;
  std::string_view stem = name.substr(0, dot);
  std::string_view const suffix = name.substr(dot);
  if (suffix != ".weight" && suffix != ".bias") return std::nullopt;
  auto const find = [](std::span<detail::GgufPart const> list, std::string_view part) {
    auto const found = std::ranges::find(list, part, &detail::GgufPart::hugging_face);
    return found == list.end() ? std::string_view{} : found->gguf;
  };
  if (std::string_view const global = find(names->globals, stem); !global.empty())
    return std::string(global) + std::string(suffix);
  if (!stem.starts_with(names->layers)) return std::nullopt;
  stem.remove_prefix(names->layers.size());
  std::size_t const end = stem.find('.');
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  std::string_view const part = find(names->parts, stem.substr(end + 1));
  if (part.empty()) return std::nullopt;
  return "blk." + std::string(stem.substr(0, end)) + "." + std::string(part) + std::string(suffix);
}

}  // namespace graft
