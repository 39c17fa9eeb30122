// SPDX-License-Identifier: Apache-2.0
#include <graft/io/build_any_model.hpp>

#include <graft/adapter/lora.hpp>

#include <support/hf_directory.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE_TEMPLATE("build_any_model: takes the architecture from the file", Arch, Llama, Qwen2, Qwen3, Gemma3, Gpt2) {
  test::HfDirectory<Arch> const directory(test::tiny_config(std::string(Arch::model_types[0])));
  auto const files = open_model(directory.path());
  Reference backend;
  Lora const lora{.rank = 2};
  auto any = build_any_model<float>(files, lora, backend);
  auto const typed = build_model<Arch, float>(files, lora, backend);
  CHECK(any.config().model_type == Arch::model_types[0]);
  auto const batch = test::random_batch(files.config, {6, 2});
  auto const actual = any.forward(batch);
  auto const expected = typed->forward(batch);
  for (std::size_t n = 0; n < expected.size(); ++n) CHECK(actual[n].target_logprob == expected[n].target_logprob);
  CHECK(any.weights().size() == directory.file.tensors.size());
}

TEST_CASE("build_any_model: a family that can be read but not built is refused by name") {
  test::HfDirectory<Llama> const directory(test::tiny_config());
  auto files = open_model(directory.path());
  Reference backend;
  files.config.model_type = "falcon";
  CHECK(test::message_of([&] { (void)build_any_model<float>(files, Frozen{}, backend); }) ==
        "[model] " + directory.path().string() + " is a model of type falcon; graft has llama, mistral, smollm3, qwen2, qwen3, gemma3_text and gpt2");
  files.config.model_type = "mistral";
  CHECK(build_any_model<float>(files, Frozen{}, backend).config().model_type == "mistral");
}
