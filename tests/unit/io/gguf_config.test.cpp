// SPDX-License-Identifier: Apache-2.0
#include <graft/io/gguf_config.hpp>

#include <graft/io/gguf_writer.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

using namespace graft;
using test::message_of;

namespace {

/// A GGUF file whose keys and small tensors a case can change.
struct Draft {
  GgufMetadata metadata;
  std::vector<std::pair<std::string, std::vector<Index>>> tensors{{"token_embd.weight", {96, 32}}};
  std::vector<float> rope_freqs;

  explicit Draft(std::string const& architecture = "llama") {
    metadata = {{"general.architecture", architecture}};
    for (auto const& [key, value] : std::vector<std::pair<std::string, std::uint32_t>>{
             {"block_count", 2}, {"context_length", 8192}, {"embedding_length", 32}, {"feed_forward_length", 48}, {"attention.head_count", 4}, {"attention.head_count_kv", 2}})
      metadata.emplace_back(architecture + "." + key, value);
    metadata.emplace_back(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
    metadata.emplace_back(architecture + ".rope.freq_base", 500000.0f);
  }
  Draft& set(std::string const& key, GgufMetadataValue value) {
    erase(key);
    metadata.emplace_back(key, std::move(value));
    return *this;
  }
  Draft& erase(std::string const& key) {
    std::erase_if(metadata, [&](auto const& entry) { return entry.first == key; });
    return *this;
  }
  Draft& tensor(std::string const& name, std::vector<Index> shape) {
    tensors.emplace_back(name, std::move(shape));
    return *this;
  }
  [[nodiscard]] ModelConfig read() const {
    test::TemporaryDirectory const folder;
    std::vector<float> const zeros(4096);
    std::vector<GgufTensorToWrite> list;
    for (auto const& [name, shape] : tensors) {
      std::size_t count = 1;
      for (Index const extent : shape) count *= static_cast<std::size_t>(extent);
      list.push_back({.name = name, .shape = shape, .bytes = std::as_bytes(std::span(zeros).first(count))});
    }
    if (!rope_freqs.empty())
      list.push_back({.name = "rope_freqs.weight", .shape = {static_cast<Index>(rope_freqs.size())}, .bytes = std::as_bytes(std::span(rope_freqs))});
    write_gguf(folder / "m.gguf", metadata, list);
    return read_gguf_config(GgufFile(folder / "m.gguf"));
  }
  [[nodiscard]] std::string refusal() const {
    return message_of([&] { (void)read(); });
  }
};

/// The divisors that llama.cpp's converter writes for Llama 3's scaling.
std::vector<float> llama3_divisors(double theta, double factor, Index head_dim) {
  std::vector<float> out;
  for (Index i = 0; i < head_dim / 2; ++i) {
    double const wavelength = 2 * std::numbers::pi * std::pow(theta, 2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    double divisor = 1;
    if (wavelength > 8192.0) divisor = factor;
    else if (wavelength >= 8192.0 / 4) {
      double const smooth = (8192 / wavelength - 1) / 3;
      divisor = 1 / ((1 - smooth) / factor + smooth);
    }
    out.push_back(static_cast<float>(divisor));
  }
  return out;
}

}  // namespace

TEST_CASE("gguf config: a llama's sizes, with f32 values as the decimals that were meant") {
  ModelConfig const config = Draft()
                                 .set("tokenizer.ggml.bos_token_id", std::uint32_t{1})
                                 .set("tokenizer.ggml.eos_token_id", std::uint32_t{2})
                                 .set("tokenizer.ggml.eot_token_id", std::uint32_t{7})
                                 .set("tokenizer.ggml.eom_token_id", std::uint32_t{2})
                                 .set("tokenizer.ggml.padding_token_id", std::uint32_t{0})
                                 .set("general.file_type", std::uint32_t{32})
                                 .read();
  CHECK(config.model_type == "llama");
  CHECK(config.vocab_size == 96);
  CHECK(config.hidden_size == 32);
  CHECK(config.intermediate_size == 48);
  CHECK(config.num_hidden_layers == 2);
  CHECK(config.num_attention_heads == 4);
  CHECK(config.num_key_value_heads == 2);
  CHECK(config.head_dim == 8);
  CHECK(config.norm_eps == 1e-5);
  CHECK(config.rope_theta == 500000);
  CHECK(config.max_position_embeddings == 8192);
  CHECK(config.tie_word_embeddings);
  CHECK(!config.attention_bias);
  CHECK(config.bos_token_id == 1);
  CHECK(config.pad_token_id == 0);
  CHECK(config.eos_token_ids == std::vector<int>{2, 7});
  CHECK(config.dtype == "bfloat16");
  CHECK(config.rope_scaling == RopeScaling{});
}

TEST_CASE("gguf config: tensors tell about head and biases, keys about head sizes") {
  CHECK(!Draft().tensor("output.weight", {96, 32}).read().tie_word_embeddings);
  CHECK(Draft("qwen2").tensor("blk.0.attn_q.bias", {32}).read().attention_bias);
  CHECK(Draft().tensor("blk.0.ffn_up.bias", {48}).read().mlp_bias);
  ModelConfig const qwen3 = Draft("qwen3").set("qwen3.attention.key_length", std::uint32_t{16}).set("qwen3.attention.value_length", std::uint32_t{16}).read();
  CHECK(qwen3.head_dim == 16);
  CHECK(qwen3.model_type == "qwen3");
  CHECK(Draft().erase("llama.attention.head_count_kv").read().num_key_value_heads == 4);
  CHECK(Draft().set("llama.feed_forward_length", std::vector<std::int32_t>{48, 48}).read().intermediate_size == 48);
}

TEST_CASE("gguf config: gemma3's layers and what its file does not say") {
  auto draft = Draft("gemma3").set("gemma3.attention.key_length", std::uint32_t{8}).set("gemma3.attention.sliding_window", std::uint32_t{512}).set("gemma3.block_count", std::uint32_t{7});
  ModelConfig const config = draft.read();
  CHECK(config.model_type == "gemma3_text");
  CHECK(config.hidden_act == "gelu_pytorch_tanh");
  CHECK(config.sliding_window == 512);
  CHECK(config.layer_is_sliding == std::vector<bool>{true, true, true, true, true, false, true});
  CHECK(config.rope_local_theta == 10000);
  CHECK(config.attention_scale == 0);
  CHECK(draft.set("gemma3.block_count", std::uint32_t{62}).read().attention_scale == 1 / std::sqrt(8.0));
  CHECK(draft.erase("gemma3.attention.sliding_window").refusal().find("the key gemma3.attention.sliding_window is missing") != std::string::npos);
}

TEST_CASE("gguf config: smollm3's layers without rope, and gpt2 with its other epsilon and fused biases") {
  ModelConfig const smollm3 = Draft("smollm3").set("smollm3.block_count", std::uint32_t{5}).read();
  CHECK(smollm3.layer_uses_rope == std::vector<bool>{true, true, true, false, true});
  auto gpt2 = Draft("gpt2");
  gpt2.erase("gpt2.attention.layer_norm_rms_epsilon").set("gpt2.attention.layer_norm_epsilon", 1e-5f)
                        .tensor("blk.0.attn_qkv.bias", {96}).tensor("blk.0.ffn_up.bias", {48});
  ModelConfig const config = gpt2.read();
  CHECK(config.norm_eps == 1e-5);
  CHECK(config.attention_bias);
  CHECK(config.mlp_bias);
  CHECK(config.hidden_act == "gelu_pytorch_tanh");
  CHECK(Draft("gpt2").refusal().find("gpt2.attention.layer_norm_epsilon is missing or not positive") != std::string::npos);
}

TEST_CASE("gguf config: rope scalings") {
  auto const linear = Draft().set("llama.rope.scaling.type", std::string("linear")).set("llama.rope.scaling.factor", 2.0f).read().rope_scaling;
  CHECK(linear.kind == RopeScaling::Kind::linear);
  CHECK(linear.factor == 2);
  auto const yarn = Draft().set("llama.rope.scaling.type", std::string("yarn")).set("llama.rope.scaling.factor", 4.0f)
                        .set("llama.rope.scaling.original_context_length", std::uint32_t{2048}).read().rope_scaling;
  CHECK(yarn.kind == RopeScaling::Kind::yarn);
  CHECK(yarn.original_max_position_embeddings == 2048);
  CHECK(yarn.attention_factor == 0);
}

TEST_CASE("gguf config: Llama 3's scaling is recovered from rope_freqs and checked against it") {
  for (double const factor : {8.0, 32.0}) {
    Draft draft;
    draft.set("llama.attention.key_length", std::uint32_t{64}).rope_freqs = llama3_divisors(500000, factor, 64);
    RopeScaling const scaling = draft.read().rope_scaling;
    CHECK(scaling == RopeScaling{.kind = RopeScaling::Kind::llama3, .factor = factor, .original_max_position_embeddings = 8192});
  }
  Draft draft;
  draft.set("llama.attention.key_length", std::uint32_t{64}).rope_freqs = llama3_divisors(500000, 8, 64);
  auto spoiled = draft;
  spoiled.rope_freqs[0] = 2;
  CHECK(spoiled.refusal().find("rope_freqs.weight does not follow Llama 3's scaling: element 0 is 2, not 1") != std::string::npos);
  spoiled = draft;
  spoiled.rope_freqs.pop_back();
  CHECK(spoiled.refusal().find("rope_freqs.weight must have head size / 2 = 32 elements") != std::string::npos);
  spoiled = draft;
  spoiled.set("llama.rope.scaling.type", std::string("linear")).set("llama.rope.scaling.factor", 2.0f);
  CHECK(spoiled.refusal().find("contradict each other") != std::string::npos);
  spoiled = draft;
  spoiled.rope_freqs.assign(32, 1.0f);
  CHECK(spoiled.read().rope_scaling == RopeScaling{});
  spoiled.rope_freqs.assign(32, std::nanf(""));
  CHECK(spoiled.refusal() != "no error");
}

TEST_CASE("gguf config: every contradiction has its own sentence") {
  auto const says = [](Draft const& draft, std::string const& part) {
    std::string const message = draft.refusal();
    CAPTURE(message);
    CHECK(message.find(part) != std::string::npos);
    CHECK(message.find("m.gguf") != std::string::npos);
  };
  says(Draft("mamba"), "the architecture must be llama, smollm3, qwen2, qwen3, gemma3 or gpt2: got mamba");
  for (char const* const key : {"block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count"})
    says(Draft().erase("llama." + std::string(key)), "the key llama." + std::string(key) + " is missing");
  says(Draft().erase("llama.attention.layer_norm_rms_epsilon"), "layer_norm_rms_epsilon is missing or not positive");
  says(Draft().set("llama.block_count", std::string("two")), "the key llama.block_count must be an integer: it is of type string");
  says(Draft().set("llama.block_count", std::uint32_t{0}), "num_hidden_layers must be in 1..4096: got 0");
  says(Draft().set("llama.embedding_length", std::uint32_t{64}), "the rows of token_embd.weight have 32 elements, but llama.embedding_length is 64");
  says(Draft().set("llama.attention.head_count", std::uint32_t{5}), "must be a multiple of the number of heads 5");
  says(Draft().set("llama.attention.head_count", std::uint32_t{0}), "must be a multiple of the number of heads 0");
  says(Draft().set("llama.attention.head_count_kv", std::uint32_t{3}), "num_attention_heads=4 must be a multiple of num_key_value_heads=3");
  says(Draft().set("llama.attention.value_length", std::uint32_t{4}), "llama.attention.value_length must be the head size 8: got 4");
  says(Draft().set("llama.rope.dimension_count", std::uint32_t{4}), "llama.rope.dimension_count must be the head size 8: got 4");
  says(Draft().set("llama.expert_count", std::uint32_t{8}), "mixtures of experts are not supported");
  says(Draft().set("llama.feed_forward_length", std::vector<std::int32_t>{48, 64}), "llama.feed_forward_length differs from layer to layer");
  says(Draft().set("llama.rope.scaling.type", std::string("longrope")), "must be none, linear or yarn: got longrope");
  says(Draft().set("llama.rope.scaling.type", std::string("linear")), "the key llama.rope.scaling.factor is missing");
  says(Draft().set("tokenizer.ggml.eos_token_id", std::uint32_t{96}), "tokenizer.ggml.eos_token_id must be below the vocabulary size 96: got 96");
  Draft none;
  none.tensors.clear();
  says(none, "the tensor token_embd.weight is missing");
  none.tensors = {{"token_embd.weight", {96}}};
  says(none, "token_embd.weight must have 2 dimensions: got 1");
}
