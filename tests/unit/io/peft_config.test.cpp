// SPDX-License-Identifier: Apache-2.0
#include <graft/io/peft_config.hpp>

#include <nlohmann/json.hpp>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

using namespace graft;
using nlohmann::json;

namespace {

/// Reads a configuration with these members; `FILE` stands for the path in what it complains of.
std::string message(std::string const& text) {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "adapter_config.json", text);
  auto result = test::message_of([&] { (void)read_peft_config(folder.path()); });
  std::string const path = (folder / "adapter_config.json").string();
  if (auto const at = result.find(path); at != std::string::npos) result.replace(at, path.size(), "FILE");
  return result;
}

json minimal() { return {{"peft_type", "LORA"}, {"target_modules", {"q_proj"}}}; }

std::string with(std::string const& key, json const& value) {
  json config = minimal();
  config[key] = value;
  return message(config.dump());
}

Lora read(json const& config, PeftOrigin* origin = nullptr) {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "adapter_config.json", config.dump());
  return read_peft_config(folder.path(), origin);
}

std::string unsupported(std::string const& key, std::string const& value) {
  return "[peft] FILE: \"" + key + "\" is set to " + value + ", which may change what the adapter computes and which graft does not support";
}

}  // namespace

TEST_CASE("peft_config: what is absent has PEFT's defaults") {
  CHECK(read(minimal()) == Lora{.rank = 8, .alpha = 8, .dropout = 0, .target_modules = {"q_proj"}});
}

TEST_CASE("peft_config: what is written is read back the same") {
  Lora const all[] = {
      {.rank = 4, .alpha = 16, .target_modules = {"down_proj", "q_proj"}},
      {.rank = 64, .alpha = 0.5, .dropout = 0.05, .rank_stabilized = true, .target_modules = {"model.layers.0.self_attn.q_proj"}, .bias = TrainBias::all},
      {.rank = 1, .alpha = -3, .target_modules = TargetModules::regex(R"(.*\.[0-3]\..*"q"_proj)"), .bias = TrainBias::lora_only,
       .modules_to_save = {"lm_head", "model.norm"}},
      {.rank = 2, .alpha = 1e300, .target_modules = {"q_proj"}}};
  for (auto const& lora : all) {
    test::TemporaryDirectory const folder;
    write_peft_config(folder.path(), lora, {"org/model-\"ü\"", true}, lora.target_modules.names());
    PeftOrigin origin;
    CHECK(read_peft_config(folder.path(), &origin) == lora);
    CHECK(origin.base_model == "org/model-\"ü\"");
    CHECK(origin.fan_in_fan_out);
  }
}

TEST_CASE("peft_config: the file has the keys and kinds of value that PEFT, vLLM and llama.cpp read") {
  test::TemporaryDirectory const folder;
  write_peft_config(folder.path(), {.rank = 4, .alpha = 16, .target_modules = all_linear}, {"base", false}, {"k_proj", "q_proj"});
  auto const config = json::parse(test::read_file(folder / "adapter_config.json"));
  CHECK(config == json::parse(R"({"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "base", "revision": null,
    "inference_mode": true, "r": 4, "lora_alpha": 16, "lora_dropout": 0.0, "use_rslora": false, "use_dora": false, "bias": "none",
    "fan_in_fan_out": false, "init_lora_weights": true, "target_modules": ["k_proj", "q_proj"], "modules_to_save": null,
    "layers_to_transform": null, "layers_pattern": null, "rank_pattern": {}, "alpha_pattern": {}})"));
  CHECK(config["lora_alpha"].is_number_integer());  // PEFT's type; 0.5 stays a number with a fraction
}

TEST_CASE("peft_config: target modules come as a list, as an expression or as all-linear") {
  auto config = minimal();
  config["target_modules"] = "all-linear";
  CHECK(read(config).target_modules.is_all_linear());
  config["target_modules"] = ".*_proj";
  CHECK(read(config).target_modules == TargetModules::regex(".*_proj"));
  config["target_modules"] = json::array({"a", "b"});
  CHECK(read(config).target_modules == TargetModules{"a", "b"});
}

TEST_CASE("peft_config: patterns keep the file's order, layers and excluded modules come as one or many") {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "adapter_config.json", R"({"peft_type": "LORA", "target_modules": ["q_proj"], "exclude_modules": ["x", "y"],
    "layers_to_transform": [3, 1], "layers_pattern": ["h", "layers"], "rank_pattern": {"z": 2, "a": 3}, "alpha_pattern": {"z": 0.5, "a": 4}})");
  Lora const lora = read_peft_config(folder.path());
  CHECK(lora.exclude_modules == TargetModules{"x", "y"});
  CHECK(lora.layers_to_transform == std::vector<Index>{3, 1});
  CHECK(lora.layers_pattern == std::vector<std::string>{"h", "layers"});
  CHECK(lora.rank_pattern == std::vector<std::pair<std::string, Index>>{{"z", 2}, {"a", 3}});
  CHECK(lora.alpha_pattern == std::vector<std::pair<std::string, double>>{{"z", 0.5}, {"a", 4}});
  auto config = minimal();
  config["layers_to_transform"] = 2;
  config["layers_pattern"] = "layers";
  config["exclude_modules"] = ".*k_proj";
  CHECK(read(config).layers_to_transform == std::vector<Index>{2});
  CHECK(read(config).layers_pattern == std::vector<std::string>{"layers"});
  CHECK(read(config).exclude_modules == TargetModules::regex(".*k_proj"));
}

TEST_CASE("peft_config: the modules of excluded ones and of chosen layers are written as a list, which every reader understands") {
  test::TemporaryDirectory const folder;
  write_peft_config(folder.path(), {.target_modules = TargetModules::regex(".*"), .exclude_modules = {"k_proj"}, .rank_pattern = {{"b", 2}, {"a", 3}}},
                    {}, {"q_proj"});
  Lora const lora = read_peft_config(folder.path());
  CHECK(lora.target_modules == TargetModules{"q_proj"});
  CHECK(lora.exclude_modules.empty());
  CHECK(lora.rank_pattern == std::vector<std::pair<std::string, Index>>{{"b", 2}, {"a", 3}});
}

TEST_CASE("peft_config: keys that change nothing are passed over, whatever they hold") {
  auto config = minimal();
  for (char const* key : {"auto_mapping", "revision", "megatron_core", "peft_version", "qalora_group_size", "inference_mode"}) config[key] = "x";
  for (char const* key : {"exclude_modules", "layers_pattern", "layers_to_transform", "unheard_of"}) config[key] = nullptr;
  config["rank_pattern"] = json::object();
  config["use_dora"] = false;
  config["new_list"] = json::array();
  CHECK(read(config).rank == 8);
  for (json const& init : {json(true), json(false), json("gaussian"), json("orthogonal"), json("eva")}) CHECK(with("init_lora_weights", init) == "no error");
}

TEST_CASE("peft_config: what changes the function and is not computed here is refused by its key") {
  CHECK(with("use_dora", true) == unsupported("use_dora", "true"));
  CHECK(with("lora_bias", true) == unsupported("lora_bias", "true"));
  CHECK(with("layer_replication", json::array({json::array({0, 2})})) == unsupported("layer_replication", "[[0,2]]"));
  CHECK(with("trainable_token_indices", json::array({1})) == unsupported("trainable_token_indices", "[1]"));
  CHECK(with("target_parameters", json::array({"w"})) == unsupported("target_parameters", R"(["w"])"));
  CHECK(with("something_of_next_year", 1) == unsupported("something_of_next_year", "1"));
  for (std::string const init : {"pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga", "of_next_year"})
    CHECK(with("init_lora_weights", init) ==
          "[peft] FILE: init_lora_weights is \"" + init + "\": such an adapter belongs to a base whose weights it changed; save it again with PEFT's "
          "path_initial_model_for_weight_conversion");
}

TEST_CASE("peft_config: a file that is malformed is refused in its own words") {
  test::TemporaryDirectory const folder;
  CHECK(test::message_of([&] { (void)read_peft_config(folder.path()); }).starts_with("[peft] "));
  CHECK(test::message_of([&] { (void)read_peft_config(folder.path()); }).find((folder / "adapter_config.json").string()) != std::string::npos);
  CHECK(message("").starts_with("[peft] "));
  CHECK(message("{\"r\": 8").starts_with("[peft] FILE: this is not valid JSON: "));
  CHECK(message("[1]") == "[peft] FILE: a JSON object is expected here: got [1]");
  CHECK(message(R"({"r": 8, "r": 4})") == "[peft] FILE: the key \"r\" occurs twice");
  CHECK(message("{}") == "[peft] FILE: peft_type must be \"LORA\": got \"\"");
  CHECK(with("peft_type", "ADALORA") == "[peft] FILE: peft_type must be \"LORA\": got \"ADALORA\"");
  CHECK(with("peft_type", 3) == "[peft] FILE: peft_type must be a string: got 3");
  CHECK(with("r", "8") == "[peft] FILE: r must be an integer: got \"8\"");
  CHECK(with("r", 1.5) == "[peft] FILE: r must be an integer: got 1.5");
  CHECK(message(R"({"peft_type": "LORA", "target_modules": ["q"], "r": 9223372036854775808})") == "[peft] FILE: r is too large: 9223372036854775808");
  CHECK(with("lora_alpha", "16") == "[peft] FILE: lora_alpha must be a number: got \"16\"");
  CHECK(with("lora_dropout", json::array()) == "[peft] FILE: lora_dropout must be a number: got []");
  CHECK(with("use_rslora", 1) == "[peft] FILE: use_rslora must be true or false: got 1");
  CHECK(with("bias", "some") == "[peft] FILE: bias must be none, all or lora_only: got \"some\"");
  CHECK(with("bias", true) == "[peft] FILE: bias must be a string: got true");
  CHECK(with("target_modules", nullptr) == "[peft] FILE: the key \"target_modules\" is missing");
  CHECK(with("target_modules", 5) == "[peft] FILE: target_modules must be an array: got 5");
  CHECK(with("target_modules", json::array({"q_proj", 1})) == "[peft] FILE: target_modules must hold strings: got 1");
  CHECK(with("modules_to_save", "lm_head") == "[peft] FILE: modules_to_save must be an array: got \"lm_head\"");
  CHECK(with("rank_pattern", {{"q_proj", "4"}}) == "[peft] FILE: rank_pattern: q_proj must be an integer: got \"4\"");
  CHECK(with("rank_pattern", json::array({1})) == "[peft] FILE: rank_pattern must be an object: got [1]");
  CHECK(with("alpha_pattern", {{"q_proj", true}}) == "[peft] FILE: alpha_pattern: q_proj must be a number: got true");
  CHECK(with("layers_to_transform", json::array({0.5})) == "[peft] FILE: layers_to_transform must be an integer: got 0.5");
  CHECK(with("layers_to_transform", "all") == "[peft] FILE: layers_to_transform must be an integer: got \"all\"");
  CHECK(with("exclude_modules", json::array({1})) == "[peft] FILE: exclude_modules must hold strings: got 1");
  CHECK(message(R"({"peft_type": "LORA", "target_modules": ".*", "layers_to_transform": [1]})") ==
        "[peft] FILE: layers_to_transform needs target_modules as a list: an expression names the layers itself");
  CHECK(with("modules_to_save", json::array({nullptr})) == "[peft] FILE: modules_to_save must hold strings: got null");
}

TEST_CASE("peft_config: target modules are written as last parts where these say it, else in full") {
  std::vector<std::string> const modules{"m.0.q_proj", "m.0.k_proj", "m.1.q_proj", "m.1.k_proj"};
  using Names = std::vector<std::string>;
  CHECK(peft_target_modules(modules, modules) == Names{"k_proj", "q_proj"});
  CHECK(peft_target_modules({"m.0.q_proj", "m.1.q_proj"}, modules) == Names{"q_proj"});
  CHECK(peft_target_modules({"m.0.q_proj"}, modules) == Names{"m.0.q_proj"});
  CHECK(peft_target_modules({"m.0.q_proj", "m.0.k_proj", "m.1.k_proj"}, modules) == Names{"m.0.q_proj", "m.0.k_proj", "m.1.k_proj"});
  CHECK(peft_target_modules({}, modules).empty());
}
