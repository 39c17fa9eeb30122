// SPDX-License-Identifier: Apache-2.0
#include <graft/io/model_files.hpp>

#include <graft/model/llama.hpp>

#include <support/hf_directory.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace graft;
namespace fs = std::filesystem;

namespace {

using Directory = test::HfDirectory<Llama>;

std::string message(fs::path const& path) {
  return test::message_of([&] { (void)open_model(path); });
}

/// What the strict check says after everything but the names in `left` was asked for.
std::string unused(ModelFiles const& files, std::set<std::string> const& left = {}) {
  StrictWeights weights(files);
  auto const provider = weights.provider();
  for (auto const& name : files.weights->names())
    if (left.count(name) == 0) (void)provider.get(name);
  return test::message_of([&] { weights.check_all_used(); });
}

}  // namespace

TEST_CASE("model_files: a Hugging Face directory gives configuration, generation defaults, weights and tokenizer") {
  auto config = test::tiny_config();
  config.eos_token_ids = {5, 7};
  Directory const directory(config);
  auto const files = open_model(directory.path());
  CHECK(files.path == directory.path());
  CHECK(files.config == config);
  CHECK(files.generation.eos_token_ids == std::vector<int>{5, 7});
  CHECK(files.tokenizer->encode("abc ab").size() > 0);
  CHECK(files.tokenizer->size() == 6);
  CHECK(open_tokenizer(directory.path()).encode("abc") == std::vector<std::int32_t>{4});
  auto const tensor = files.weights->get("model.norm.weight");
  CHECK(tensor.shape == std::vector<Index>{12});
  CHECK(std::equal(tensor.data, tensor.data + 48, directory.file.tensors.at("model.norm.weight").bytes.begin()));
  CHECK(files.weights->names().size() == directory.file.tensors.size());
}

TEST_CASE("model_files: what is no model is refused with its path") {
  test::TemporaryDirectory const folder;
  fs::path const nowhere = folder / "nowhere";
  CHECK(message(nowhere) == "[model] there is no " + nowhere.string() +
                                "; a model is a .gguf file or a Hugging Face directory (scripts/get_model.sh gets one)");
  CHECK(test::message_of([&] { (void)open_tokenizer(nowhere); }).starts_with("[model] there is no " + nowhere.string()));
  CHECK(message(folder.path()).find(folder.path().string()) != std::string::npos);
  test::write_file(folder / "model.bin", "pickle");
  CHECK(message(folder / "model.bin").find("model.bin") != std::string::npos);
  test::write_file(folder / "model.gguf", "GGUF");
  CHECK(message(folder / "model.gguf").find("model.gguf") != std::string::npos);

  Directory const directory(test::tiny_config());
  fs::rename(directory.path() / "config.json", directory.path() / "config.old");
  CHECK(message(directory.path()).find("config.json") != std::string::npos);
  fs::rename(directory.path() / "config.old", directory.path() / "config.json");
  fs::rename(directory.path() / "tokenizer.json", directory.path() / "tokenizer.old");
  CHECK(message(directory.path()).find("tokenizer.json") != std::string::npos);
}

TEST_CASE("model_files: a tokenizer with more ids than the embedding has rows is refused, an equal number is not") {
  auto config = test::tiny_config();
  config.vocab_size = 5;
  Directory const small(config);
  CHECK(message(small.path()) == "[model] " + small.path().string() + ": the tokenizer has ids up to 5, but the embedding has only 5 rows");
  config.vocab_size = 6;
  CHECK(message(Directory(config).path()) == "no error");
}

TEST_CASE("strict_weights: a tensor is got once and counted; one that nobody asked for is named") {
  Directory directory(test::tiny_config());
  auto const files = open_model(directory.path());
  CHECK(unused(files) == "no error");
  CHECK(unused(files, {"model.layers.1.mlp.up_proj.weight"}) ==
        "[model] " + directory.path().string() + ": the tensor model.layers.1.mlp.up_proj.weight belongs to nothing in a model of type llama");
  StrictWeights weights(files);
  CHECK(weights.provider().has("model.norm.weight"));
  CHECK_FALSE(weights.provider().has("model.extra"));
  CHECK(test::message_of([&] { (void)weights.provider().get("model.extra"); }) ==
        "[model] " + directory.path().string() + " has no tensor model.extra");
}

TEST_CASE("strict_weights: rotary tables and masks of old checkpoints are passed over") {
  Directory directory(test::tiny_config());
  directory.file.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {"F32", {2}, std::vector<std::byte>(8)};
  directory.file.tensors["model.layers.0.self_attn.masked_bias"] = {"F32", {1}, std::vector<std::byte>(4)};
  directory.write();
  CHECK(unused(open_model(directory.path()), {"model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.0.self_attn.masked_bias"}) == "no error");
}

TEST_CASE("strict_weights: a tied head may repeat the embedding to the bit, and nothing else") {
  Directory directory(test::tiny_config());
  auto& head = directory.file.tensors["lm_head.weight"];
  head = directory.file.tensors.at("model.embed_tokens.weight");
  directory.write();
  CHECK(unused(open_model(directory.path()), {"lm_head.weight"}) == "no error");
  head.bytes.back() ^= std::byte{1};
  directory.write();
  std::string const differ = "[model] " + directory.path().string() + ": tie_word_embeddings is set, but lm_head.weight and "
                             "model.embed_tokens.weight differ; set it to false in config.json";
  CHECK(unused(open_model(directory.path()), {"lm_head.weight"}) == differ);
  head.bytes.back() ^= std::byte{1};
  head.dtype = "F16";
  head.bytes.resize(head.bytes.size() / 2);
  directory.write();
  CHECK(unused(open_model(directory.path()), {"lm_head.weight"}) == differ);

  auto config = test::tiny_config();
  config.tie_word_embeddings = false;
  Directory const untied(config);
  CHECK(unused(open_model(untied.path()), {"lm_head.weight"}).ends_with("the tensor lm_head.weight belongs to nothing in a model of type llama"));
}
