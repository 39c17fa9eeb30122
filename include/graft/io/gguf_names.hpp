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

inline constexpr std::array<GgufPart, 3> gguf_globals{{
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
}};

[[nodiscard]] constexpr std::span<GgufPart const> gguf_parts(std::string_view architecture) {
  if (architecture == "gemma3") return gemma3_parts;
  if (architecture == "llama" || architecture == "qwen2" || architecture == "qwen3") return llama_parts;
  return {};
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
  auto const parts = detail::gguf_parts(architecture);
  if (parts.empty()) return std::nullopt;
  if (std::string_view const global = find(detail::gguf_globals, stem); !global.empty())
    return std::string(global) + std::string(suffix);
  if (!stem.starts_with("blk.")) return std::nullopt;
  stem.remove_prefix(4);
  std::size_t const end = stem.find('.');
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  std::string_view const layer = stem.substr(0, end);
  std::string_view const part = find(parts, stem.substr(end + 1));
  bool const number = layer.find_first_not_of("0123456789") == std::string_view::npos && (layer.size() == 1 || layer[0] != '0');
  if (part.empty() || !number) return std::nullopt;
  return "model.layers." + std::string(layer) + "." + std::string(part) + std::string(suffix);
}

/// The name in a GGUF file of the tensor with that Hugging Face name; empty if it has none.
[[nodiscard]] inline std::optional<std::string> gguf_name_of_hf(std::string_view architecture, std::string_view name) {
  auto const parts = detail::gguf_parts(architecture);
  std::size_t const dot = name.rfind('.');
  if (parts.empty() || dot == std::string_view::npos) return std::nullopt;
  std::string_view stem = name.substr(0, dot);
  std::string_view const suffix = name.substr(dot);
  if (suffix != ".weight" && suffix != ".bias") return std::nullopt;
  auto const find = [](std::span<detail::GgufPart const> list, std::string_view part) {
    auto const found = std::ranges::find(list, part, &detail::GgufPart::hugging_face);
    return found == list.end() ? std::string_view{} : found->gguf;
  };
  if (std::string_view const global = find(detail::gguf_globals, stem); !global.empty())
    return std::string(global) + std::string(suffix);
  constexpr std::string_view layers = "model.layers.";
  if (!stem.starts_with(layers)) return std::nullopt;
  stem.remove_prefix(layers.size());
  std::size_t const end = stem.find('.');
  if (end == 0 || end == std::string_view::npos) return std::nullopt;
  std::string_view const part = find(parts, stem.substr(end + 1));
  if (part.empty()) return std::nullopt;
  return "blk." + std::string(stem.substr(0, end)) + "." + std::string(part) + std::string(suffix);
}

}  // namespace graft
