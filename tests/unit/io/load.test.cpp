// SPDX-License-Identifier: Apache-2.0
#include <graft/io/load.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/qwen3.hpp>

#include <support/hf_directory.hpp>
#include <support/message_of.hpp>
#include <support/module_bench.hpp>

#include <doctest/doctest.h>

using namespace graft;

using test::logprobs;

TEST_CASE("load: a model owns what it needs, and keeps it when it is moved") {
  test::HfDirectory<Llama> const directory(test::tiny_config());
  auto model = load<Llama, double, Reference>(directory.path(), Lora{.rank = 2});
  CHECK(model.tokenizer().encode("abc") == std::vector<std::int32_t>{4});
  CHECK(model.model_files().path == directory.path());
  auto const files = open_model(directory.path());
  Reference backend;
  auto const expected = [&] {
    auto const built = build_model<Llama, double>(files, Lora{.rank = 2}, backend);
    return logprobs(*built);
  }();
  CHECK(logprobs(model) == expected);
  std::vector<decltype(model)> models;
  models.push_back(std::move(model));
  models.push_back(load<Llama, double, Reference>(directory.path(), Lora{.rank = 2}));
  models.reserve(20);
  CHECK(logprobs(models[0]) == expected);
  // Training still reaches the moved model's own parameters.
  test::disturb(models[0].trainable().params);
  CHECK(logprobs(models[0]) != expected);
  CHECK(logprobs(models[1]) == expected);
}

TEST_CASE("load: the default backend in float gives the same to float's accuracy") {
  test::HfDirectory<Llama> const directory(test::tiny_config());
  auto model = load<Llama>(directory.path(), Frozen{});
  auto exact = load<Llama, double, Reference>(directory.path(), Frozen{});
  auto const actual = logprobs(model), expected = logprobs(exact);
  for (std::size_t n = 0; n < expected.size(); ++n) CHECK(actual[n] == doctest::Approx(expected[n]).epsilon(1e-4));
}

TEST_CASE("load_adapted: an adapter directory gives its settings and its weights") {
  test::TemporaryDirectory const folder;
  test::HfDirectory<Llama> const directory(test::tiny_config());
  Lora const spec{.rank = 3, .alpha = 7, .rank_stabilized = true, .target_modules = {"q_proj", "up_proj"}};
  auto model = load<Llama, double, Reference>(directory.path(), spec);
  test::disturb(model.trainable().params);
  save_peft(model, folder / "adapter");
  auto again = load_adapted<Llama, double, Reference>(directory.path(), folder / "adapter");
  CHECK(again.adapter().rank == 3);
  CHECK(again.adapted_modules() == model.adapted_modules());
  CHECK(logprobs(again) == logprobs(model));
}

TEST_CASE("load: what does not fit is refused with the path") {
  test::HfDirectory<Llama> directory(test::tiny_config());
  CHECK(test::message_of([&] { (void)load<Qwen3, float, Reference>(directory.path(), Frozen{}); }) ==
        "[model] " + directory.path().string() + " is a model of type llama, not of type qwen3");
  CHECK(test::message_of([&] { (void)load<Llama, float, Reference>(directory.path() / "nowhere", Frozen{}); }).starts_with("[model] there is no "));
  directory.file.tensors["model.extra.weight"] = {"F32", {1}, std::vector<std::byte>(4)};
  directory.write();
  CHECK(test::message_of([&] { (void)load<Llama, float, Reference>(directory.path(), Frozen{}); }) ==
        "[model] " + directory.path().string() + ": the tensor model.extra.weight belongs to nothing in a model of type llama");
  test::TemporaryDirectory const folder;
  CHECK(test::message_of([&] { (void)load_adapted<Llama, float, Reference>(directory.path(), folder / "nowhere"); }).find("model.extra") ==
        std::string::npos);  // the adapter's own file is looked at first
}
