// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>
#include <graft/model/config.hpp>
#include <graft/model/sampling.hpp>

#include <filesystem>
#include <optional>
#include <vector>

namespace graft {

/// What `generation_config.json` says: where answers end, and how the model's makers draw tokens.
struct GenerationDefaults {
  std::vector<int> eos_token_ids;
  std::optional<int> bos_token_id;
  std::optional<int> pad_token_id;
  Sampling sampling;  ///< greedy unless the file says do_sample; then top_k is 50 where it is not given, as in transformers
  std::optional<Index> max_new_tokens;
};

/// Reads `config.json` of a Hugging Face directory (or the file itself) of model type llama, mistral, qwen2, qwen3,
/// smollm3, gemma3_text, gemma3 (its text part) or gpt2. Understands both dialects: transformers 5 has `dtype` and all rope
/// values in `rope_parameters` (for gemma3 one set a layer type), transformers 4 `torch_dtype`, `rope_theta`, `rope_scaling`;
/// where both are given the first counts. End-of-sequence ids are those of `generation_config.json` and of `config.json`.
/// Errors name file and key: not JSON, a key twice, missing or of another type, a switch that graft's models do not have
/// (so nothing that changes the arithmetic is passed over), sizes that contradict each other.
[[nodiscard]] ModelConfig read_hf_config(std::filesystem::path const& directory);

/// Reads `generation_config.json`; what it does not say, or all if it is not there, comes from `config`.
[[nodiscard]] GenerationDefaults read_generation_config(std::filesystem::path const& directory, ModelConfig const& config);

/// Writes `config.json` in both dialects at once, so that transformers 4 and 5 read the same model, and
/// `generation_config.json` with the token ids and, if given, the sampling of `generation`. The directory must exist.
/// Error: a model type that `read_hf_config` does not know.
void write_hf_config(ModelConfig const& config, std::filesystem::path const& directory, GenerationDefaults const& generation = {});

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/hf_config_read.tpp>
#include <graft/io/hf_config_write.tpp>
#endif
