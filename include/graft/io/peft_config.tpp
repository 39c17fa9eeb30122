// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/atomic_file.hpp>
#include <graft/io/json_file.hpp>
#include <graft/io/peft_config.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

namespace graft {

namespace detail {

/// Keys that say nothing about the function that an adapter computes once it is trained.
inline constexpr std::array<std::string_view, 17> peft_ignored_keys{
    "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version", "peft_type",
    "lora_dropout", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "megatron_config", "megatron_core",
    "runtime_config", "ephemeral_gpu_offload", "qalora_group_size"};
/// Keys that are read.
inline constexpr std::array<std::string_view, 13> peft_read_keys{
    "r", "lora_alpha", "use_rslora", "bias", "target_modules", "modules_to_save", "fan_in_fan_out", "init_lora_weights",
    "exclude_modules", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern"};
/// Initial values that leave the base as it is. Others (pissa, olora, corda, …) subtract the adapter from its weights.
inline constexpr std::array<std::string_view, 3> peft_plain_inits{"gaussian", "orthogonal", "eva"};

/// Whether a value switches nothing on.
[[nodiscard]] inline bool says_nothing(Json const& value) {
  return value.is_null() || value == Json(false) || ((value.is_object() || value.is_array()) && value.empty());
}

/// The strings of the array `key`; empty if it is absent.
[[nodiscard]] inline std::vector<std::string> peft_strings(JsonObject const& config, std::string_view key) {
  std::vector<std::string> strings;
  for (Json const& value : config.array(key)) {
    config.require_that(value.is_string(), key, " must hold strings: got ", JsonObject::shown(value));
    strings.push_back(value.get<std::string>());
  }
  return strings;
}

/// target_modules or exclude_modules: a list of names, or a regular expression.
[[nodiscard]] inline TargetModules peft_modules(JsonObject const& config, std::string_view key) {
  if (!config.at(key).is_string()) return TargetModules(peft_strings(config, key));
  return TargetModules::regex(config.string(key));
}

/// rank_pattern or alpha_pattern, in the order of the file: the first key that fits decides. `number` reads a value.
template <class T, class F>
[[nodiscard]] std::vector<std::pair<std::string, T>> peft_pattern(JsonObject const& config, std::filesystem::path const& path,
                                                                  std::string_view key, F&& number) {
  std::vector<std::pair<std::string, T>> pattern;
  auto const object = config.find_object(key);
  if (!object || object->json().empty()) return pattern;
  MappedFile const file(path, "peft");  // `config` has sorted its keys
  auto const* const text = reinterpret_cast<char const*>(file.bytes().data());
  auto const ordered = nlohmann::ordered_json::parse(text, text + file.bytes().size());
  for (auto const& [module, value] : ordered.at(key).items()) pattern.emplace_back(module, number(*object, module));
  return pattern;
}

}  // namespace detail

GRAFT_INLINE std::vector<std::string> peft_target_modules(std::vector<std::string> const& adapted,
                                                          std::vector<std::string> const& modules) {
  auto const last_part = [](std::string const& name) { return name.substr(name.rfind('.') + 1); };
  std::set<std::string> parts;
  for (auto const& module : adapted) parts.insert(last_part(module));
  auto const described = std::count_if(modules.begin(), modules.end(),
                                       [&](std::string const& module) { return parts.count(last_part(module)) != 0; });
  if (static_cast<std::size_t>(described) != adapted.size()) return adapted;
  return {parts.begin(), parts.end()};
}

GRAFT_INLINE void write_peft_config(std::filesystem::path const& directory, Lora const& lora, PeftOrigin const& origin,
                                    std::vector<std::string> const& target_modules) {
  constexpr std::array<char const*, 3> bias_names{"none", "all", "lora_only"};
  nlohmann::ordered_json config;
  config["peft_type"] = "LORA";
  config["task_type"] = origin.task_type;
  config["base_model_name_or_path"] = origin.base_model;
  config["revision"] = nullptr;
  config["inference_mode"] = true;
  config["r"] = lora.rank;
  if (lora.alpha == std::floor(lora.alpha) && std::abs(lora.alpha) < 0x1p53)
    config["lora_alpha"] = static_cast<std::int64_t>(lora.alpha);
  else
    config["lora_alpha"] = lora.alpha;
  config["lora_dropout"] = lora.dropout;
  config["use_rslora"] = lora.rank_stabilized;
  config["use_dora"] = false;
  config["bias"] = bias_names[static_cast<std::size_t>(lora.bias)];
  config["fan_in_fan_out"] = origin.fan_in_fan_out;
  config["init_lora_weights"] = true;
  // The list has what is adapted, so that neither excluded modules nor layers need to be named.
  if (lora.target_modules.pattern().empty() || !lora.exclude_modules.empty())
    config["target_modules"] = target_modules;
  else
    config["target_modules"] = lora.target_modules.pattern();
  auto saved = lora.modules_to_save;
  if (origin.task_type == "SEQ_CLS" && std::find(saved.begin(), saved.end(), "score") == saved.end()) saved.push_back("score");
  config["modules_to_save"] = saved.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(saved);
  config["layers_to_transform"] = nullptr;
  config["layers_pattern"] = nullptr;
  config["rank_pattern"] = nlohmann::ordered_json::object();
  for (auto const& [key, rank] : lora.rank_pattern) config["rank_pattern"][key] = rank;
  config["alpha_pattern"] = nlohmann::ordered_json::object();
  for (auto const& [key, alpha] : lora.alpha_pattern) config["alpha_pattern"][key] = alpha;
  write_atomically(directory / "adapter_config.json", [&](AtomicFile& file) { file.write(config.dump(2) + "\n"); });
}

GRAFT_INLINE Lora read_peft_config(std::filesystem::path const& directory, PeftOrigin* origin) {
  auto const path = directory / "adapter_config.json";
  detail::Json const json = detail::parse_json_file(path, "peft");
  detail::JsonObject const config(json, "peft", path.string());
  auto const type = config.find_string("peft_type").value_or("");
  config.require_that(type == "LORA", "peft_type must be \"LORA\": got \"", type, "\"");
  auto const contains = [](auto const& keys, std::string const& key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  for (auto const& [key, value] : json.items())
    config.require_that(contains(detail::peft_read_keys, key) || contains(detail::peft_ignored_keys, key) ||
                            detail::says_nothing(value),
                        "\"", key, "\" is set to ", detail::JsonObject::shown(value),
                        ", which may change what the adapter computes and which graft does not support");
  if (auto const* init = config.find("init_lora_weights"); init != nullptr && init->is_string())
    config.require_that(contains(detail::peft_plain_inits, init->get<std::string>()), "init_lora_weights is ",
                        detail::JsonObject::shown(*init), ": such an adapter belongs to a base whose weights it changed; ",
                        "save it again with PEFT's path_initial_model_for_weight_conversion");

  Lora lora;
  lora.rank = config.integer("r", 8);
  lora.alpha = config.number("lora_alpha", 8);
  lora.dropout = config.number("lora_dropout", 0);
  lora.rank_stabilized = config.boolean("use_rslora", false);
  auto const bias = config.find_string("bias").value_or("none");
  config.require_that(bias == "none" || bias == "all" || bias == "lora_only",
                      "bias must be none, all or lora_only: got \"", bias, "\"");
  lora.bias = bias == "none" ? TrainBias::none : bias == "all" ? TrainBias::all : TrainBias::lora_only;
  lora.modules_to_save = detail::peft_strings(config, "modules_to_save");
  lora.target_modules = detail::peft_modules(config, "target_modules");
  if (lora.target_modules.pattern() == "all-linear") lora.target_modules = all_linear;
  if (config.has("exclude_modules")) lora.exclude_modules = detail::peft_modules(config, "exclude_modules");
  auto const* const layers = config.find("layers_to_transform");
  if (layers != nullptr && !layers->is_array())
    lora.layers_to_transform = {config.integer("layers_to_transform")};
  else
    for (detail::Json const& layer : config.array("layers_to_transform"))
      lora.layers_to_transform.push_back(config.to_integer(layer, "layers_to_transform"));
  if (auto const* pattern = config.find("layers_pattern"); pattern != nullptr && pattern->is_string())
    lora.layers_pattern = {pattern->get<std::string>()};
  else
    lora.layers_pattern = detail::peft_strings(config, "layers_pattern");
  config.require_that(lora.layers_to_transform.empty() || lora.target_modules.pattern().empty(),
                      "layers_to_transform needs target_modules as a list: an expression names the layers itself");
  lora.rank_pattern = detail::peft_pattern<Index>(config, path, "rank_pattern",
                                                  [](auto const& object, auto const& key) { return object.integer(key); });
  lora.alpha_pattern = detail::peft_pattern<double>(config, path, "alpha_pattern",
                                                    [](auto const& object, auto const& key) { return object.number(key); });
  if (origin != nullptr) {
    origin->base_model = config.find_string("base_model_name_or_path").value_or("");
    origin->fan_in_fan_out = config.boolean("fan_in_fan_out", false);
    origin->task_type = config.find_string("task_type").value_or("");
  }
  return lora;
}

}  // namespace graft
