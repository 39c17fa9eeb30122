// SPDX-License-Identifier: Apache-2.0
#include <graft/io/conv1d.hpp>

#include <graft/adapter/lora.hpp>
#include <graft/io/model_files.hpp>
#include <graft/io/peft.hpp>
#include <graft/model/gpt2.hpp>

#include <support/hf_directory.hpp>
#include <support/message_of.hpp>
#include <support/module_bench.hpp>

#include <doctest/doctest.h>

using namespace graft;
using Model = Transformer<Gpt2, double, Reference, Lora>;

TEST_CASE("conv1d: the four matrices of a GPT-2 layer are turned, nothing else is") {
  CHECK(is_conv1d_weight("transformer.h.11.attn.c_attn.weight"));
  CHECK(is_conv1d_weight("transformer.h.0.mlp.c_proj.weight"));
  for (char const* const name : {"transformer.h.0.attn.c_attn.bias", "transformer.wte.weight", "transformer.h.0.ln_1.weight",
                                 "model.layers.0.mlp.c_fc.weight", "lm_head.weight"})
    CHECK(!is_conv1d_weight(name));
  CHECK(detail::transposed(std::vector<int>{1, 2, 3, 4, 5, 6}, 2, 3) == std::vector<int>{1, 4, 2, 5, 3, 6});
}

TEST_CASE("conv1d: OpenAI's file, without the prefix and with masks, is GPT-2's; a mask in another model is refused") {
  test::HfDirectory<Gpt2> directory(test::tiny_config("gpt2"));
  auto const files = open_model(directory.path());
  auto const original = files.weights->get("transformer.h.1.mlp.c_fc.weight");
  CHECK(original.shape == std::vector<Index>{20, 12});
  auto const complete = directory.file.tensors;
  directory.file.tensors.clear();
  for (auto const& [name, tensor] : complete) directory.file.tensors[name.substr(12)] = tensor;  // "transformer."
  directory.file.tensors["h.0.attn.bias"] = {"F32", {1, 1, 1, 1}, std::vector<std::byte>(4)};
  directory.file.tensors["lm_head.weight"] = complete.at("transformer.wte.weight");
  directory.write();
  auto const bare = open_model(directory.path());
  auto const again = bare.weights->get("transformer.h.1.mlp.c_fc.weight");
  CHECK(std::memcmp(again.data, original.data, static_cast<std::size_t>(original.matrix().bytes())) == 0);
  StrictWeights weights(bare);
  Reference backend;
  Model const model(bare.config, Lora{.rank = 2}, backend, weights.provider());
  CHECK_NOTHROW(weights.check_all_used());
}

TEST_CASE("conv1d: an adapter has PEFT's shapes, says fan_in_fan_out, and keeps whole modules as (in, out)") {
  test::TemporaryDirectory const folder;
  auto const config = test::tiny_config("gpt2");
  test::RandomWeights weights(config);
  Reference backend;
  Model model(config, Lora{.rank = 2, .target_modules = {"c_attn"}, .modules_to_save = {"mlp.c_fc"}}, backend, weights.provider());
  test::disturb(model.trainable().params);
  save_peft(model, folder / "adapter");
  PeftOrigin origin;
  auto const lora = read_peft_config(folder / "adapter", &origin);
  CHECK(origin.fan_in_fan_out);
  SafetensorsFile const file(folder / "adapter/adapter_model.safetensors");
  auto const shape = [&](char const* name) { return file.find(std::string("base_model.model.transformer.h.0.") + name)->shape; };
  CHECK(shape("attn.c_attn.lora_A.weight") == std::vector<Index>{2, 12});
  CHECK(shape("attn.c_attn.lora_B.weight") == std::vector<Index>{36, 2});
  CHECK(shape("mlp.c_fc.weight") == std::vector<Index>{12, 20});
  Model loaded(config, lora, backend, weights.provider());
  load_peft(loaded, folder / "adapter");
  CHECK(test::logprobs(loaded) == test::logprobs(model));
}
