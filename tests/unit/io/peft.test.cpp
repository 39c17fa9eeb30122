// SPDX-License-Identifier: Apache-2.0
#include <graft/io/peft.hpp>

#include <graft/adapter/selected.hpp>
#include <graft/backend/reference.hpp>
#include <graft/io/build_model.hpp>
#include <graft/model/llama.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>
#include <support/tensor_file.hpp>
#include <support/tiny_data.hpp>
#include <support/tiny_model.hpp>

#include <nlohmann/json.hpp>

#include <doctest/doctest.h>

using namespace graft;
namespace fs = std::filesystem;

namespace {

template <class T = float>
using Model = Transformer<Llama, T, Reference, Lora>;

ModelConfig untied() {
  auto config = test::tiny_config();
  config.num_hidden_layers = 2;
  config.tie_word_embeddings = false;
  config.attention_bias = true;
  return config;
}

/// A tiny model with everything that an adapter directory can hold, all values moved.
struct Case {
  explicit Case(Lora const& spec = full_spec(), std::uint64_t seed = 11) : model(config, spec, backend, weights.provider()) {
    Rng rng(seed);
    for (auto const& param : model.trainable().params)
      for (Index i = 0; i < param.value.size(); ++i) param.value.data[i] += static_cast<float>(0.1 * rng.normal());
  }
  static Lora full_spec() {
    return {.rank = 2, .alpha = 5, .target_modules = {"q_proj"}, .bias = TrainBias::all, .modules_to_save = {"lm_head", "model.norm"}};
  }
  ModelConfig config = untied();
  test::RandomWeights weights{config};
  Reference backend;
  Model<> model;
};

/// What load_peft says of an adapter whose tensors `spoil` changed.
template <class F>
std::string refused(F&& spoil) {
  test::TemporaryDirectory const folder;
  Case one;
  save_peft(one.model, folder / "adapter");
  fs::path const path = folder / "adapter/adapter_model.safetensors";
  test::TensorFile file(path);
  spoil(file.tensors);
  file.write(path);
  Case fresh(Case::full_spec(), 12);
  auto message = test::message_of([&] { load_peft(fresh.model, folder / "adapter"); });
  if (auto const at = message.find(path.string()); at != std::string::npos) message.replace(at, path.string().size(), "FILE");
  return message;
}

char const* const lora_a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";

}  // namespace

TEST_CASE("peft: a saved adapter is loaded to the same bits, with the same settings") {
  test::TemporaryDirectory const folder;
  Case one;
  save_peft(one.model, folder / "adapter", "base");
  PeftOrigin origin;
  auto const spec = read_peft_config(folder / "adapter", &origin);
  CHECK(spec == Case::full_spec());
  CHECK(origin.base_model == "base");
  Case fresh(spec, 99);
  CHECK((test::trained_values(fresh.model) != test::trained_values(one.model)));
  load_peft(fresh.model, folder / "adapter");
  CHECK((test::trained_values(fresh.model) == test::trained_values(one.model)));
}

TEST_CASE("peft: the keys are PEFT's, wrappers and base_layer included") {
  test::TemporaryDirectory const folder;
  auto const keys = [&](Lora const& spec) {
    Case one(spec);
    save_peft(one.model, folder / "adapter");
    auto const names = test::TensorFile(folder / "adapter/adapter_model.safetensors").names();
    return std::vector<std::string>(names.begin(), names.end());
  };
  using Names = std::vector<std::string>;
  std::string const layer = "base_model.model.model.layers.";
  CHECK(keys({.rank = 2, .target_modules = {"q_proj"}}) ==
        Names{layer + "0.self_attn.q_proj.lora_A.weight", layer + "0.self_attn.q_proj.lora_B.weight", layer + "1.self_attn.q_proj.lora_A.weight",
              layer + "1.self_attn.q_proj.lora_B.weight"});
  CHECK(keys({.rank = 2, .target_modules = {"layers.0.self_attn.q_proj"}, .bias = TrainBias::lora_only}) ==
        Names{layer + "0.self_attn.q_proj.base_layer.bias", layer + "0.self_attn.q_proj.lora_A.weight", layer + "0.self_attn.q_proj.lora_B.weight"});
  CHECK(keys({.rank = 2, .target_modules = {"layers.0.self_attn.q_proj"}, .bias = TrainBias::all, .modules_to_save = {"lm_head"}}) ==
        Names{"base_model.model.lm_head.weight", layer + "0.self_attn.k_proj.bias", layer + "0.self_attn.o_proj.bias",
              layer + "0.self_attn.q_proj.base_layer.bias", layer + "0.self_attn.q_proj.lora_A.weight", layer + "0.self_attn.q_proj.lora_B.weight",
              layer + "0.self_attn.v_proj.bias", layer + "1.self_attn.k_proj.bias", layer + "1.self_attn.o_proj.bias",
              layer + "1.self_attn.q_proj.bias", layer + "1.self_attn.v_proj.bias"});
}

TEST_CASE("peft: each way in which tensors and model can disagree is named") {
  std::string const name = lora_a;
  CHECK(refused([](auto&) {}) == "no error");
  CHECK(refused([&](auto& tensors) { tensors.erase(name); }) == "[peft] FILE has no tensor " + name + ", which the configuration asks for");
  CHECK(refused([&](auto& tensors) { tensors["base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight"] = tensors[name]; }) ==
        "[peft] FILE: the tensor base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight belongs to nothing in this model");
  CHECK(refused([&](auto& tensors) { tensors[name].shape = {12, 2}; }) == "[peft] FILE: " + name + " has shape (12, 2), but the model needs (2, 12)");
  CHECK(refused([&](auto& tensors) { tensors[name].shape = {24}; }) == "[peft] FILE: " + name + " has shape (24), but the model needs (2, 12)");
  CHECK(refused([&](auto& tensors) { tensors[name].dtype = "I32"; }) == "[peft] FILE: " + name + " is I32; it must be F32, F16, BF16 or F64");
  CHECK(refused([&](auto& tensors) {
          auto entry = tensors[name];
          tensors.erase(name);
          tensors["base_model.model.model.layers.0.self_attn.q_proj.lora_A.default.weight"] = entry;
        }) == "[peft] FILE has no tensor " + name + ", which the configuration asks for");

  test::TemporaryDirectory const folder;
  Case one;
  save_peft(one.model, folder / "adapter");
  auto wider = Case::full_spec();
  wider.rank = 3;
  Case other(wider);
  CHECK(test::message_of([&] { load_peft(other.model, folder / "adapter"); }).ends_with(": " + name + " has shape (2, 12), but the model needs (3, 12)"));
  fs::remove(folder / "adapter/adapter_model.safetensors");
  CHECK(test::message_of([&] { load_peft(one.model, folder / "adapter"); }).find("adapter_model.safetensors") != std::string::npos);
}

TEST_CASE("peft: adapters in half precision, and of double models, are read") {
  test::TemporaryDirectory const folder;
  Case one;
  save_peft(one.model, folder / "adapter");
  test::TensorFile file(folder / "adapter/adapter_model.safetensors");
  auto& entry = file.tensors.at(lora_a);
  std::vector<float> values(24);
  std::memcpy(values.data(), entry.bytes.data(), 96);
  entry.dtype = "BF16";
  entry.bytes.resize(48);
  for (std::size_t i = 0; i < 24; ++i) {
    bf16 const rounded = to_bf16(values[i]);
    std::memcpy(entry.bytes.data() + 2 * i, &rounded, 2);
    values[i] = to_float(rounded);
  }
  file.write(folder / "adapter/adapter_model.safetensors");
  Model<double> wide(one.config, Case::full_spec(), one.backend, one.weights.provider());
  load_peft(wide, folder / "adapter");
  for (auto const& param : wide.trainable().params)
    if (param.name == "model.layers.0.self_attn.q_proj.lora_A.weight")
      for (std::size_t i = 0; i < 24; ++i) CHECK(param.value.data[i] == values[i]);
  save_peft(wide, folder / "wide");
  CHECK(test::TensorFile(folder / "wide/adapter_model.safetensors").tensors.at(lora_a).dtype == "F64");
}

TEST_CASE("peft: a method chosen at run time saves its LoRA; without one there is nothing to save") {
  test::TemporaryDirectory const folder;
  auto const config = untied();
  test::RandomWeights weights(config);
  Reference backend;
  Lora const lora{.rank = 2, .target_modules = {"q_proj"}};
  Transformer<Llama, float, Reference, Selected> const chosen(config, {Method::lora, lora}, backend, weights.provider());
  save_peft(chosen, folder / "adapter");
  CHECK(read_peft_config(folder / "adapter") == lora);
  Transformer<Llama, float, Reference, Selected> const full(config, {Method::full, lora}, backend, weights.provider());
  CHECK(test::message_of([&] { save_peft(full, folder / "full"); }) ==
        "[peft] this model has no LoRA to save in " + (folder / "full").string() + "; save_model writes whole models");
  CHECK_FALSE(fs::exists(folder / "full"));
}

TEST_CASE("peft: directories that PEFT wrote are read, written back to the same tensors, and merge to PEFT's weights") {
  for (std::string const which : {"llama_tiny/adapters/lora_all_linear", "llama_tiny/adapters/rslora_qv", "llama_tiny_bias/adapters/bias_all",
                                  "llama_tiny_bias/adapters/bias_lora_only", "llama_tiny_untied/adapters/modules_to_save"}) {
    CAPTURE(which);
    fs::path const directory = test::fixtures / which, base = directory.parent_path().parent_path();
    ModelFiles files;
    files.path = base;
    files.config = read_hf_config(base);
    files.weights = open_weights(base);
    Reference backend;
    PeftOrigin origin;
    auto const spec = read_peft_config(directory, &origin);
    CHECK(origin.base_model == base.filename().string());
    auto const model = build_model<Llama, float>(files, spec, backend);
    load_peft(*model, directory);

    test::TemporaryDirectory const folder;
    save_peft(*model, folder / "again", origin.base_model);
    auto const theirs = test::TensorFile(directory / "adapter_model.safetensors"), ours = test::TensorFile(folder / "again/adapter_model.safetensors");
    CHECK(ours.names() == theirs.names());
    CHECK((ours.tensors == theirs.tensors));
    auto const config = [](fs::path const& from) { return nlohmann::json::parse(test::read_file(from / "adapter_config.json")); };
    auto const mine = config(folder / "again"), peft = config(directory);
    for (char const* key : {"peft_type", "task_type", "base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "bias",
                            "fan_in_fan_out", "modules_to_save", "inference_mode"})
      CHECK_MESSAGE(mine.at(key) == peft.at(key), key);
    // Names may be shorter than PEFT's; they must mean the same modules.
    TargetModules const written(mine.at("target_modules").get<std::vector<std::string>>());
    for (auto const& module : model->linear_modules()) CHECK(written.matches(module) == spec.target_modules.matches(module));

    SafetensorsFile const merged(directory / "merged.safetensors");
    std::size_t compared = 0;
    auto const weights = model->weights();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      auto const* expected = merged.find(weights[i].name);
      if (expected == nullptr) continue;
      ++compared;
      std::vector<float> values(expected->bytes.size() / 4), peft_values(values.size());
      model->download_weight(i, true, values);
      std::memcpy(peft_values.data(), expected->bytes.data(), expected->bytes.size());
      float largest = 0;
      for (std::size_t k = 0; k < values.size(); ++k) largest = std::max(largest, std::abs(values[k] - peft_values[k]));
      CAPTURE(weights[i].name);
      CHECK(largest <= 1e-6f);
    }
    CHECK(compared == merged.tensors().size());
  }
}

TEST_CASE("peft: ranks per module and chosen layers are read from PEFT's files") {
  auto const patterns = read_peft_config(test::fixtures / "llama_tiny/adapters/patterns");
  CHECK(patterns.rank_pattern.size() == 2);
  CHECK(patterns.for_module("model.layers.1.self_attn.k_proj").rank == 2);
  CHECK(patterns.for_module("model.layers.1.self_attn.q_proj").alpha == 16);
  auto const one_layer = read_peft_config(test::fixtures / "llama_tiny/adapters/one_layer");
  CHECK(one_layer.targets("model.layers.1.self_attn.o_proj"));
  CHECK_FALSE(one_layer.targets("model.layers.0.self_attn.o_proj"));
}
