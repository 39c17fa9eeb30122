// SPDX-License-Identifier: Apache-2.0
#include <graft/io/weight_source.hpp>

#include <graft/io/gguf_writer.hpp>
#include <graft/io/safetensors_writer.hpp>
#include <graft/quant/decode.hpp>
#include <graft/quant/encode.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

using namespace graft;
using test::message_of;
using test::write_file;

namespace {

std::vector<float> decoded(HostTensor const& tensor) {
  std::vector<float> out(static_cast<std::size_t>(tensor.rows() * tensor.cols()));
  decode_rows(tensor.matrix(), 0, tensor.rows(), MatrixView<float>(out.data(), tensor.rows(), tensor.cols()));
  return out;
}

/// Tensors with their memory, for the writers.
struct Tensors {
  std::map<std::string, std::vector<std::byte>> memory;
  std::vector<GgufTensorToWrite> list;

  void add(std::string const& name, Storage storage, std::vector<Index> const& shape, std::vector<float> const& values) {
    Index const cols = shape.back(), rows = static_cast<Index>(values.size()) / cols;
    Index const stride = row_bytes(storage, cols);
    std::vector<std::byte>& bytes = memory[name];
    bytes.resize(static_cast<std::size_t>(rows * stride));
    for (Index r = 0; r < rows; ++r) encode_row(storage, values.data() + r * cols, cols, bytes.data() + r * stride);
    list.push_back({.name = name, .storage = storage, .shape = shape, .bytes = bytes});
  }
};

/// Row r of `cols` columns holds values that only row r has and that all block formats keep apart.
std::vector<float> numbered_rows(Index rows, Index cols) {
  std::vector<float> values;
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c) values.push_back(static_cast<float>(r + 1) * (c == 0 ? 1.0f : 0.5f));
  return values;
}

GgufMetadata const llama_keys = {{"general.architecture", std::string("llama")},
                                 {"llama.attention.head_count", std::uint32_t{3}},
                                 {"llama.attention.head_count_kv", std::uint32_t{1}}};

}  // namespace

TEST_CASE("gguf weights: llama's rotary rows go back to split halves, in every block format") {
  test::TemporaryDirectory const folder;
  Index const heads = 3, size = 8, cols = 32;
  for (Storage const storage : {Storage::f32, Storage::bf16, Storage::q8_0, Storage::q4_1, Storage::q5_0}) {
    CAPTURE(name(storage));
    // What llama.cpp's converter does to a Hugging Face weight: (head, 2, size/2) becomes (head, size/2, 2).
    std::vector<float> const original = numbered_rows(heads * size, cols);
    std::vector<float> permuted(original.size());
    for (Index h = 0; h < heads; ++h)
      for (Index s = 0; s < 2; ++s)
        for (Index i = 0; i < size / 2; ++i)
          std::copy_n(original.begin() + (h * size + s * size / 2 + i) * cols, cols, permuted.begin() + (h * size + 2 * i + s) * cols);
    Tensors tensors;
    tensors.add("blk.7.attn_q.weight", storage, {heads * size, cols}, permuted);
    tensors.add("blk.7.attn_k.weight", storage, {size, cols}, std::vector<float>(permuted.begin(), permuted.begin() + size * cols));
    tensors.add("blk.7.attn_v.weight", storage, {size, cols}, std::vector<float>(permuted.begin(), permuted.begin() + size * cols));
    std::vector<float> bias, bias_permuted;
    for (Index r = 0; r < heads * size; ++r) {
      bias.push_back(original[static_cast<std::size_t>(r * cols)]);
      bias_permuted.push_back(permuted[static_cast<std::size_t>(r * cols)]);
    }
    tensors.add("blk.7.attn_q.bias", Storage::f32, {heads * size}, bias_permuted);
    write_gguf(folder / "m.gguf", llama_keys, tensors.list);

    auto const weights = open_weights(folder / "m.gguf");
    auto const q = weights->get("model.layers.7.self_attn.q_proj.weight");
    CHECK(q.storage == storage);
    CHECK(q.shape == std::vector<Index>{heads * size, cols});
    // Whole rows moved: the blocks are those of the original's rows, to the bit.
    Tensors expected;
    expected.add("q", storage, {heads * size, cols}, original);
    CHECK(std::equal(expected.memory["q"].begin(), expected.memory["q"].end(), q.data));
    auto const k = decoded(weights->get("model.layers.7.self_attn.k_proj.weight"));
    CHECK(k[0] == decoded(q)[0]);
    CHECK(k[static_cast<std::size_t>(cols)] == decoded(q)[static_cast<std::size_t>(cols)]);
    CHECK(decoded(weights->get("model.layers.7.self_attn.q_proj.bias")) == bias);
    // Who asks again gets the same memory, as long as somebody holds it.
    CHECK(weights->get("model.layers.7.self_attn.q_proj.weight").data == q.data);
    CHECK(weights->get("model.layers.7.self_attn.q_proj.weight").owner == q.owner);
    std::weak_ptr<void const> const bias_memory = weights->get("model.layers.7.self_attn.q_proj.bias").owner;
    CHECK(bias_memory.expired());
    // v is not rotated and comes straight from the mapping.
    CHECK(std::equal(tensors.memory["blk.7.attn_v.weight"].begin(), tensors.memory["blk.7.attn_v.weight"].end(),
                     weights->get("model.layers.7.self_attn.v_proj.weight").data));
  }
}

TEST_CASE("gguf weights: other architectures keep their rows") {
  test::TemporaryDirectory const folder;
  std::vector<float> const values = numbered_rows(8, 4);
  Tensors tensors;
  tensors.add("blk.0.attn_q.weight", Storage::f32, {8, 4}, values);
  write_gguf(folder / "m.gguf", {{"general.architecture", std::string("qwen2")}, {"qwen2.attention.head_count", std::uint32_t{1}}}, tensors.list);
  CHECK(decoded(open_weights(folder / "m.gguf")->get("model.layers.0.self_attn.q_proj.weight")) == values);
}

TEST_CASE("gguf weights: gemma3's norms become Hugging Face's w again") {
  test::TemporaryDirectory const folder;
  std::vector<float> const w{-1.5f, -0.75f, 0.0f, 0.1f, 3.0f, 40.0f};
  std::vector<float> stored;
  for (float const value : w) stored.push_back(value + 1.0f);
  Tensors tensors;
  for (char const* const norm : {"output_norm", "blk.0.attn_norm", "blk.0.attn_q_norm", "blk.0.post_ffw_norm"})
    tensors.add(std::string(norm) + ".weight", Storage::f32, {6}, stored);
  tensors.add("token_embd.weight", Storage::f32, {1, 6}, stored);
  write_gguf(folder / "m.gguf", {{"general.architecture", std::string("gemma3")}}, tensors.list);
  auto const weights = open_weights(folder / "m.gguf");
  for (char const* const name : {"model.norm.weight", "model.layers.0.input_layernorm.weight", "model.layers.0.self_attn.q_norm.weight",
                                 "model.layers.0.post_feedforward_layernorm.weight"}) {
    auto const tensor = weights->get(name);
    CHECK(tensor.storage == Storage::f32);
    auto const values = decoded(tensor);
    REQUIRE(values.size() == w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      CHECK(values[i] + 1.0f == stored[i]);  // the gain that the file holds
      CHECK(std::abs(values[i] - w[i]) <= 4e-6f);
    }
  }
  CHECK(decoded(weights->get("model.embed_tokens.weight")) == stored);
}

TEST_CASE("gguf weights: names are sorted, unknown tensors keep theirs, rope_freqs is left to the configuration") {
  test::TemporaryDirectory const folder;
  Tensors tensors;
  for (char const* const name : {"token_embd.weight", "blk.0.ffn_gate_exps.weight", "rope_freqs.weight", "output.weight"})
    tensors.add(name, Storage::f32, {1, 2}, {1, 2});
  write_gguf(folder / "m.gguf", llama_keys, tensors.list);
  auto const weights = open_weights(folder / "m.gguf");
  CHECK(weights->names() == std::vector<std::string>{"blk.0.ffn_gate_exps.weight", "lm_head.weight", "model.embed_tokens.weight"});
  CHECK(weights->has("lm_head.weight"));
  CHECK(!weights->has("output.weight"));
  CHECK(!weights->has("rope_freqs.weight"));
  CHECK(weights->path() == folder / "m.gguf");
  CHECK(message_of([&] { (void)weights->get("model.norm.weight"); }) ==
        "[weights] " + (folder / "m.gguf").string() + " has no tensor model.norm.weight");
}

TEST_CASE("gguf weights: files that are no model of a known architecture are refused") {
  test::TemporaryDirectory const folder;
  auto const refusal = [&](GgufMetadata const& metadata, char const* get = nullptr) {
    Tensors tensors;
    tensors.add("blk.0.attn_q.weight", Storage::f32, {9, 2}, std::vector<float>(18, 1.0f));
    write_gguf(folder / "m.gguf", metadata, tensors.list);
    return message_of([&] {
      auto const weights = open_weights(folder / "m.gguf");
      if (get != nullptr) (void)weights->get(get);
    });
  };
  std::pair<std::string, GgufMetadataValue> const llama{"general.architecture", std::string("llama")};
  CHECK(refusal({}).find("the key general.architecture is missing") != std::string::npos);
  CHECK(refusal({{"general.architecture", std::string("falcon")}}).find("must be llama, smollm3, qwen2, qwen3, gemma3 or gpt2: got falcon") !=
        std::string::npos);
  CHECK(refusal({llama, {"general.type", std::string("adapter")}}).find("is an adapter, not a model") != std::string::npos);
  CHECK(refusal({llama, {"split.count", std::uint32_t{3}}}).find("one part of a split model") != std::string::npos);
  char const* const q = "model.layers.0.self_attn.q_proj.weight";
  CHECK(refusal({llama}, q).find("the key llama.attention.head_count is missing") != std::string::npos);
  for (std::uint32_t const heads : {0u, 2u, 3u, 9u})
    CHECK(refusal({llama, {"llama.attention.head_count", heads}}, q).find("do not make " + std::to_string(heads) + " heads of an even size") !=
          std::string::npos);
}

TEST_CASE("safetensors weights: dtypes become storages, others are refused by name") {
  test::TemporaryDirectory const folder;
  std::vector<std::byte> const bytes(16);
  std::vector<TensorToWrite> const tensors{
      {.name = "model.a", .dtype = "F32", .shape = {2, 2}, .bytes = bytes},
      {.name = "model.b", .dtype = "F16", .shape = {8}, .bytes = bytes},
      {.name = "model.c", .dtype = "BF16", .shape = {8}, .bytes = bytes},
      {.name = "model.d", .dtype = "F64", .shape = {2}, .bytes = bytes},
      {.name = "model.e", .dtype = "I32", .shape = {4}, .bytes = bytes},
  };
  write_safetensors(folder / "model.safetensors", tensors);
  for (auto const& path : {folder.path(), folder / "model.safetensors"}) {
    auto const weights = open_weights(path);
    CHECK(weights->get("model.a").storage == Storage::f32);
    CHECK(weights->get("model.a").shape == std::vector<Index>{2, 2});
    CHECK(weights->get("model.b").storage == Storage::f16);
    CHECK(weights->get("model.c").storage == Storage::bf16);
    CHECK(weights->get("model.d").storage == Storage::f64);
    CHECK(weights->names().size() == 5);
    CHECK(message_of([&] { (void)weights->get("model.e"); }).find("tensor model.e has dtype I32, which graft does not compute with") !=
          std::string::npos);
    CHECK(message_of([&] { (void)weights->get("model.f"); }).find("has no tensor model.f") != std::string::npos);
  }
}

TEST_CASE("safetensors weights: prefixes of multimodal and bare checkpoints are evened out") {
  test::TemporaryDirectory const folder;
  std::vector<std::byte> const bytes(4);
  auto const names = [&](std::vector<std::string> const& stored) {
    std::vector<TensorToWrite> tensors;
    for (auto const& name : stored) tensors.push_back({.name = name, .dtype = "F32", .shape = {1}, .bytes = bytes});
    write_safetensors(folder / "model.safetensors", tensors);
    return open_weights(folder.path())->names();
  };
  using Names = std::vector<std::string>;
  CHECK(names({"model.norm.weight", "lm_head.weight"}) == Names{"lm_head.weight", "model.norm.weight"});
  CHECK(names({"language_model.model.norm.weight", "language_model.lm_head.weight", "vision_tower.x"}) ==
        Names{"lm_head.weight", "model.norm.weight", "vision_tower.x"});
  CHECK(names({"model.language_model.norm.weight", "lm_head.weight", "model.vision_tower.x"}) ==
        Names{"lm_head.weight", "model.norm.weight", "model.vision_tower.x"});
  CHECK(names({"norm.weight", "embed_tokens.weight", "layers.0.mlp.up_proj.weight", "score.weight"}) ==
        Names{"model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight", "model.norm.weight", "score.weight"});
  CHECK(message_of([&] { (void)names({"model.norm.weight", "language_model.model.norm.weight"}); })
            .find("the tensors language_model.model.norm.weight and model.norm.weight are both the model's model.norm.weight") !=
        std::string::npos);
}

TEST_CASE("weights outlive their source") {
  HostTensor tensor;
  std::vector<float> values;
  {
    test::TemporaryDirectory const folder;
    Tensors tensors;
    tensors.add("token_embd.weight", Storage::f32, {2, 2}, {1, 2, 3, 4});
    write_gguf(folder / "m.gguf", llama_keys, tensors.list);
    tensor = open_weights(folder / "m.gguf")->get("model.embed_tokens.weight");
  }
  CHECK(decoded(tensor) == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("open_weights: whatever holds no weights is refused with the way out") {
  test::TemporaryDirectory const folder;
  auto const says = [&](std::filesystem::path const& path, std::string const& part) {
    std::string const message = message_of([&] { (void)open_weights(path); });
    CAPTURE(message);
    CHECK(message.find(part) != std::string::npos);
    CHECK(message.find(path.string()) != std::string::npos);
  };
  says(folder / "missing", "there is no file or directory");
  says(folder.path(), "holds neither model.safetensors nor model.safetensors.index.json");
  write_file(folder / "pytorch_model.bin", std::string("PK\3\4", 4) + std::string(100, 'x'));
  says(folder.path(), "pytorch_model.bin is a pickle, which can run code when it is read: convert it to safetensors");
  says(folder / "pytorch_model.bin", "is a pickle, which can run code");
  write_file(folder / "old.pt", "\x80\x02}q");
  says(folder / "old.pt", "is a pickle");
  write_file(folder / "model.gguf", "not really");
  says(folder.path(), "give the file itself: " + (folder / "model.gguf").string());
  says(folder / "model.gguf", "is neither a GGUF nor a safetensors file: it begins with \"not reall\"");
  write_file(folder / "empty", "");
  says(folder / "empty", "it begins with \"\"");
  write_file(folder / "x.safetensors", "short");
  says(folder / "x.safetensors", "8-byte length of its header");
  write_file(folder / "cut.gguf", "GGUF\3");
  says(folder / "cut.gguf", "the file is truncated");
}
