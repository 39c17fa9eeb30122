// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/text/tokenizer_spec.hpp>

#include <filesystem>

namespace graft {

/// Reads the tokenizer of a Hugging Face model folder: `tokenizer.json` (needed), `tokenizer_config.json`,
/// `special_tokens_map.json`, `chat_template.jinja` (where they are; the last wins over the template in the config).
/// As transformers 5 does, `add_bos_token` and `add_eos_token` of the config win over the post-processor.
/// Errors name the file and the key: not JSON, a wrong type, ids that do not fit, and every part that would tokenize
/// otherwise than graft does (Unigram, WordPiece, other patterns and normalizers, dropout, …), with what is supported.
[[nodiscard]] TokenizerSpec read_hf_tokenizer(std::filesystem::path const& directory);

/// Writes `tokenizer.json` and `tokenizer_config.json` into an existing folder, such that transformers
/// (`AutoTokenizer.from_pretrained`) gives the same ids. A tokenizer that merges by score is written with the rank table
/// of `merges_from_scores`. Errors: a spec whose parts do not fit, tokens that are not UTF-8, a folder that cannot be
/// written.
void write_hf_tokenizer(TokenizerSpec const& spec, std::filesystem::path const& directory);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/hf_tokenizer.tpp>
#endif
