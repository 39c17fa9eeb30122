// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/tokenizer_spec.hpp>

#include <optional>
#include <string_view>

namespace graft::detail {

/// The regular expressions by which `tokenizer.json` files name the pre-tokenizers that graft scans by hand.
namespace hf_pattern {
inline constexpr std::string_view gpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view llama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view qwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}  // namespace hf_pattern

[[nodiscard]] inline std::optional<PreTokenizer> pre_tokenizer_of_pattern(std::string_view pattern) {
  if (pattern == hf_pattern::gpt2) return PreTokenizer::gpt2;
  if (pattern == hf_pattern::llama3) return PreTokenizer::llama3;
  if (pattern == hf_pattern::qwen2) return PreTokenizer::qwen2;
  return std::nullopt;
}

/// The pattern that `Split` needs for `kind`; "" for kinds that are written otherwise.
[[nodiscard]] inline std::string_view pattern_of_pre_tokenizer(PreTokenizer kind) {
  return kind == PreTokenizer::llama3 ? hf_pattern::llama3 : kind == PreTokenizer::qwen2 ? hf_pattern::qwen2 : "";
}

}  // namespace graft::detail
