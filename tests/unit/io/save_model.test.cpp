// SPDX-License-Identifier: Apache-2.0
#include <graft/io/save_model.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/io/build_model.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/gpt2.hpp>
#include <graft/model/llama.hpp>

#include <support/hf_directory.hpp>
#include <support/message_of.hpp>
#include <support/module_bench.hpp>

#include <doctest/doctest.h>

using namespace graft;
namespace fs = std::filesystem;
using test::logprobs;

namespace {

double largest_difference(std::vector<double> const& a, std::vector<double> const& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE_TEMPLATE("save_model: a saved model computes without its adapter what it computed with it", Arch, Llama, Gemma3, Gpt2) {
  test::TemporaryDirectory const folder;
  test::HfDirectory<Arch> const directory(test::tiny_config(std::string(Arch::model_types[0])));
  auto const files = open_model(directory.path());
  Reference backend;
  auto const model = build_model<Arch, double>(files, Lora{.rank = 2, .alpha = 5, .modules_to_save = {Arch::learned_positions ? "ln_f" : "norm"}}, backend);
  test::disturb(model->trainable().params);
  auto const expected = logprobs(*model);
  struct Kind { Storage storage; char const* dtype; double tolerance; };
  for (auto const& [storage, dtype, tolerance] : {Kind{Storage::f64, "float64", 1e-12}, Kind{Storage::f32, "float32", 1e-5},
                                                  Kind{Storage::f16, "float16", 2e-2}, Kind{Storage::bf16, "bfloat16", 0.2}}) {
    CAPTURE(dtype);
    fs::path const saved = folder / dtype;
    save_model(*model, files, saved, storage);
    auto const again = open_model(saved);
    CHECK(again.config.dtype == dtype);
    CHECK(again.weights->get(std::string(Arch::final_norm_name) + ".weight").storage == storage);
    auto const plain = build_model<Arch, double>(again, Frozen{}, backend);
    auto const actual = logprobs(*plain);
    CHECK(largest_difference(actual, expected) <= tolerance);
    CHECK(again.tokenizer->encode("abc ab<s>") == files.tokenizer->encode("abc ab<s>"));
  }
}

TEST_CASE("save_model: a frozen model in f32 is written with the bits it was read with, and the names of its files") {
  test::TemporaryDirectory const folder;
  auto config = test::tiny_config();
  config.tie_word_embeddings = false;
  config.eos_token_ids = {5};
  test::HfDirectory<Llama> const directory(config);
  test::write_file(directory.path() / "generation_config.json", R"({"eos_token_id": [5, 7], "do_sample": true, "temperature": 0.25, "top_p": 0.5})");
  auto const files = open_model(directory.path());
  Reference backend;
  auto const model = build_model<Llama, float>(files, Frozen{}, backend);
  save_model(*model, files, folder / "saved");
  CHECK((test::TensorFile(folder / "saved/model.safetensors").tensors == directory.file.tensors));
  CHECK(SafetensorsFile(folder / "saved/model.safetensors").metadata().at("format") == "pt");
  std::set<std::string> names;
  for (auto const& entry : fs::directory_iterator(folder / "saved")) names.insert(entry.path().filename().string());
  CHECK(names == std::set<std::string>{"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"});
  auto const again = open_model(folder / "saved");
  CHECK(again.config == files.config);
  CHECK(again.generation.eos_token_ids == std::vector<int>{5, 7});
  CHECK(again.generation.sampling.temperature == 0.25);
  CHECK(again.generation.sampling.top_p == 0.5);
}

TEST_CASE("save_model: block formats cannot be written, and nothing is left behind") {
  test::TemporaryDirectory const folder;
  test::HfDirectory<Llama> const directory(test::tiny_config());
  auto const files = open_model(directory.path());
  Reference backend;
  auto const model = build_model<Llama, float>(files, Frozen{}, backend);
  CHECK(test::message_of([&] { save_model(*model, files, folder / "saved", Storage::q8_0); }) ==
        "[save] weights can be written as f32, bf16, f16 or f64: got q8_0");
  CHECK(fs::is_empty(folder.path()));
}
