// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/gguf.hpp>
#include <graft/text/tokenizer_spec.hpp>

namespace graft {

/// The tokenizer in the metadata of a GGUF file (ggml, `docs/gguf.md`, keys `tokenizer.*`), with the meaning that
/// llama.cpp gives it:
/// - `tokenizer.ggml.model` "gpt2" is byte-level BPE by rank; `.pre` names the pre-tokenizer (gpt-2, smollm, llama-bpe,
///   qwen2 and their other names). "llama" is SentencePiece BPE by score; `merges_from_scores` makes a rank table of it.
/// - control and unknown tokens become special added tokens, user-defined ones added tokens.
/// - A normalizer is not stored: Qwen's NFC is put back by the name of its pre-tokenizer.
/// Errors name the file and the key: what is missing, of a wrong length, or not supported.
[[nodiscard]] TokenizerSpec read_gguf_tokenizer(GgufFile const& file);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/gguf_tokenizer.tpp>
#endif
