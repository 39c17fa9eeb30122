// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/io/gguf.hpp>
#include <graft/model/config.hpp>

namespace graft {

/// The configuration of a GGUF model of architecture llama, smollm3, qwen2, qwen3, gemma3 or gpt2, as Hugging Face would write it: sizes
/// from the metadata, the vocabulary from the rows of the embedding, a tied head where there is no `output.weight`. f32
/// values become the shortest decimal that they round from (1e-05, not 9.99999974e-06). Llama 3's rope scaling, which the
/// file gives as `rope_freqs.weight`, is recovered and checked against that tensor. `dtype` is "float32" unless all is
/// stored in half precision. Errors name file and key: another architecture, something missing, an unknown scaling, sizes
/// that contradict each other.
[[nodiscard]] ModelConfig read_gguf_config(GgufFile const& file);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/gguf_config.tpp>
#endif
