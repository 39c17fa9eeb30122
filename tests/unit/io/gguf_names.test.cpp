// SPDX-License-Identifier: Apache-2.0
#include <graft/io/gguf_names.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace graft;

TEST_CASE("gguf names: every part of every architecture maps there and back") {
  for (std::string const architecture : {"llama", "smollm3", "qwen2", "qwen3", "gemma3", "gpt2"}) {
    auto const* const names = detail::find_gguf_names(architecture);
    REQUIRE(names != nullptr);
    for (auto const& part : names->parts) {
      std::string const gguf = "blk.12." + std::string(part.gguf) + ".weight";
      auto const name = hf_name_of_gguf(architecture, gguf);
      REQUIRE(name.has_value());
      CHECK(*name == std::string(names->layers) + "12." + std::string(part.hugging_face) + ".weight");
      CHECK(gguf_name_of_hf(architecture, *name) == gguf);
    }
  }
}

TEST_CASE("gguf names: globals, biases, and Gemma's other norms") {
  CHECK(hf_name_of_gguf("llama", "token_embd.weight") == "model.embed_tokens.weight");
  CHECK(hf_name_of_gguf("llama", "output_norm.weight") == "model.norm.weight");
  CHECK(hf_name_of_gguf("llama", "output.weight") == "lm_head.weight");
  CHECK(hf_name_of_gguf("qwen2", "blk.0.attn_q.bias") == "model.layers.0.self_attn.q_proj.bias");
  CHECK(hf_name_of_gguf("llama", "blk.0.ffn_norm.weight") == "model.layers.0.post_attention_layernorm.weight");
  CHECK(hf_name_of_gguf("gemma3", "blk.0.ffn_norm.weight") == "model.layers.0.pre_feedforward_layernorm.weight");
  CHECK(gguf_name_of_hf("gemma3", "model.layers.0.post_attention_layernorm.weight") == "blk.0.post_attention_norm.weight");
  CHECK(gguf_name_of_hf("llama", "model.layers.0.post_attention_layernorm.weight") == "blk.0.ffn_norm.weight");
  CHECK(gguf_name_of_hf("llama", "lm_head.weight") == "output.weight");
  CHECK(hf_name_of_gguf("gpt2", "position_embd.weight") == "transformer.wpe.weight");
  CHECK(hf_name_of_gguf("gpt2", "blk.3.attn_qkv.bias") == "transformer.h.3.attn.c_attn.bias");
  CHECK(gguf_name_of_hf("gpt2", "transformer.ln_f.bias") == "output_norm.bias");
  CHECK(!hf_name_of_gguf("gpt2", "blk.0.attn_q.weight").has_value());
}

TEST_CASE("gguf names: what has no counterpart is empty") {
  for (char const* const name : {"", ".", "blk", "blk.", "blk..attn_q.weight", "blk.x.attn_q.weight", "blk.01.attn_q.weight", "blk.0.attn_q",
                                 "blk.0.attn_q.scale", "blk.0.weight", "blk.0.ffn_gate_exps.weight", "rope_freqs.weight", "blk.0.post_ffw_norm.weight"})
    CHECK(!hf_name_of_gguf("llama", name).has_value());
  CHECK(!hf_name_of_gguf("falcon", "token_embd.weight").has_value());
  for (char const* const name : {"", "model", "model.layers.0", "model.layers..mlp.up_proj.weight", "model.layers.0.mlp.up_proj.scale",
                                 "transformer.wte.weight", "model.layers.0.mlp.experts.weight"})
    CHECK(!gguf_name_of_hf("llama", name).has_value());
  CHECK(!gguf_name_of_hf("falcon", "lm_head.weight").has_value());
}
