// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/gguf.hpp>
#include <graft/io/gguf_config.hpp>
#include <graft/io/gguf_tokenizer.hpp>
#include <graft/io/hf_tokenizer.hpp>
#include <graft/io/model_files.hpp>

#include <cstring>

namespace graft {

namespace detail {

inline void require_model_path(std::filesystem::path const& path) {
  require(std::filesystem::exists(path), "model", "there is no ", path.string(),
          "; a model is a .gguf file or a Hugging Face directory (scripts/get_model.sh gets one)");
}

}  // namespace detail

GRAFT_INLINE Tokenizer open_tokenizer(std::filesystem::path const& path) {
  detail::require_model_path(path);
  if (std::filesystem::is_directory(path)) return Tokenizer(read_hf_tokenizer(path), path.string());
  return Tokenizer(read_gguf_tokenizer(GgufFile(path)), path.string());
}

GRAFT_INLINE ModelFiles open_model(std::filesystem::path const& path) {
  detail::require_model_path(path);
  ModelFiles files;
  files.path = path;
  files.weights = open_weights(path);
  if (std::filesystem::is_directory(path)) {
    files.config = read_hf_config(path);
    files.generation = read_generation_config(path, files.config);
  } else {
    files.config = read_gguf_config(GgufFile(path));
  }
  if (files.generation.eos_token_ids.empty()) files.generation.eos_token_ids = files.config.eos_token_ids;
  files.tokenizer = std::make_shared<Tokenizer const>(open_tokenizer(path));
  require(files.tokenizer->size() <= files.config.vocab_size, "model", path.string(), ": the tokenizer has ids up to ",
          files.tokenizer->size() - 1, ", but the embedding has only ", files.config.vocab_size, " rows");
  return files;
}

GRAFT_INLINE HostTensor StrictWeights::get(std::string const& name) {
  require(files_->weights->has(name), "model", files_->path.string(), " has no tensor ", name);
  used_.insert(name);
  return files_->weights->get(name);
}

GRAFT_INLINE void StrictWeights::check_all_used() const {
  for (auto const& name : files_->weights->names()) {
    if (used_.count(name) != 0 || name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".masked_bias")) continue;
    bool const gpt2 = files_->config.model_type == "gpt2";
    if (gpt2 && name.ends_with(".attn.bias")) continue;  // the causal mask
    if (name == "lm_head.weight" && files_->config.tie_word_embeddings) {
      char const* const tied_to = gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight";
      auto const head = files_->weights->get(name), embedding = files_->weights->get(tied_to);
      bool const same = head.shape == embedding.shape && head.storage == embedding.storage &&
                        std::memcmp(head.data, embedding.data, static_cast<std::size_t>(head.matrix().bytes())) == 0;
      require(same, "model", files_->path.string(), ": tie_word_embeddings is set, but lm_head.weight and ",
              tied_to, " differ; set it to false in config.json");
      continue;
    }
    fail("model", files_->path.string(), ": the tensor ", name, " belongs to nothing in a model of type ",
         files_->config.model_type);
  }
}

}  // namespace graft
