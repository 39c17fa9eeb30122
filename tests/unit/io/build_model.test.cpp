// SPDX-License-Identifier: Apache-2.0
#include <graft/io/build_model.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/qwen3.hpp>

#include <support/hf_directory.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

using Directory = test::HfDirectory<Llama>;

/// What building says of a directory whose tensors `spoil` changed.
template <class Arch = Llama, class F>
std::string refused(F&& spoil) {
  Directory directory(test::tiny_config());
  spoil(directory.file.tensors);
  directory.write();
  auto const files = open_model(directory.path());
  Reference backend;
  auto message = test::message_of([&] { (void)build_model<Arch, float>(files, Frozen{}, backend); });
  std::string const path = directory.path().string();
  if (auto const at = message.find(path); at != std::string::npos) message.replace(at, path.size(), "DIR");
  return message;
}

std::string const up = "model.layers.1.mlp.up_proj.weight";

}  // namespace

TEST_CASE("build_model: the model of a directory computes what the same weights compute that never were in a file") {
  auto const config = test::tiny_config();
  Directory const directory(config);
  auto const files = open_model(directory.path());
  test::RandomWeights weights(config);
  Reference backend;
  Lora const lora{.rank = 2, .seed = 3};
  auto const from_file = build_model<Llama, double>(files, lora, backend);
  Transformer<Llama, double, Reference, Lora> from_memory(config, lora, backend, weights.provider());
  auto const batch = test::random_batch(config, {7, 3});
  auto const actual = from_file->forward(batch);
  auto const expected = from_memory.forward(batch);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t n = 0; n < actual.size(); ++n) CHECK(actual[n].target_logprob == expected[n].target_logprob);
  CHECK(from_file->adapted_modules().size() == 21);
}

TEST_CASE("build_model: a tensor that is left over, missing, or of another shape is named with its directory") {
  CHECK(refused([](auto&) {}) == "no error");
  CHECK(refused([](auto& tensors) { tensors["model.layers.3.mlp.up_proj.weight"] = tensors[up]; }) ==
        "[model] DIR: the tensor model.layers.3.mlp.up_proj.weight belongs to nothing in a model of type llama");
  CHECK(refused([](auto& tensors) { tensors["model.layers.0.self_attn.q_proj.bias"] = {"F32", {16}, std::vector<std::byte>(64)}; }) ==
        "[model] DIR: the tensor model.layers.0.self_attn.q_proj.bias belongs to nothing in a model of type llama");
  CHECK(refused([](auto& tensors) { tensors.erase(up); }) == "[model] DIR has no tensor " + up);
  CHECK(refused([](auto& tensors) { tensors.erase("model.embed_tokens.weight"); }) == "[model] DIR has no tensor model.embed_tokens.weight");
  CHECK(refused([](auto& tensors) { tensors[up].shape = {12, 20}; }) ==
        "[model] the weight " + up + " has shape (12, 20), but the configuration asks for (20, 12)");
  CHECK(refused([](auto& tensors) { tensors[up].shape = {20, 12, 1}; }) ==
        "[model] the weight " + up + " has shape (20, 12, 1), but the configuration asks for (20, 12)");
  CHECK(refused([](auto& tensors) { tensors["model.norm.weight"].shape = {1, 12}; }) ==
        "[model] the weight model.norm.weight has shape (1, 12), but the configuration asks for (12)");
  CHECK(refused([](auto& tensors) { tensors[up].dtype = "I32"; }).find(up) != std::string::npos);
}

TEST_CASE("build_model: another architecture than the file's is refused") {
  CHECK(refused<Qwen3>([](auto&) {}) == "[model] DIR is a model of type llama, not of type qwen3");
}

TEST_CASE("build_model: a configuration that its weights do not fit is refused at the first of them") {
  Directory const directory(test::tiny_config());
  auto config = directory.config;
  Reference backend;
  auto const message = [&](auto&& change) {
    auto changed = config;
    change(changed);
    write_hf_config(changed, directory.path());
    return test::message_of([&] { (void)build_model<Llama, float>(open_model(directory.path()), Frozen{}, backend); });
  };
  CHECK(message([](ModelConfig& c) { c.num_hidden_layers = 2; }).find("the tensor model.layers.2.") != std::string::npos);
  CHECK(message([](ModelConfig& c) { c.num_hidden_layers = 4; }).ends_with(" has no tensor model.layers.3.input_layernorm.weight"));
  CHECK(message([](ModelConfig& c) { c.vocab_size = 30; }) ==
        "[model] the weight model.embed_tokens.weight has shape (29, 12), but the configuration asks for (30, 12)");
  CHECK(message([](ModelConfig& c) { c.tie_word_embeddings = false; }).ends_with(" has no tensor lm_head.weight"));
  CHECK(message([](ModelConfig& c) { c.num_key_value_heads = 1; }) ==
        "[model] the weight model.layers.0.self_attn.k_proj.weight has shape (8, 12), but the configuration asks for (4, 12)");
}
