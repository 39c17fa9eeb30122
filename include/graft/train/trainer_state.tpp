// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/atomic_file.hpp>
#include <graft/io/json_file.hpp>
#include <graft/train/trainer_state.hpp>

#include <charconv>

namespace graft {

GRAFT_INLINE void write_trainer_state(std::filesystem::path const& directory, TrainerState const& state) {
  nlohmann::ordered_json json;
  json["global_step"] = state.step;
  json["best_metric"] = state.best_metric ? nlohmann::ordered_json(*state.best_metric) : nlohmann::ordered_json();
  json["best_global_step"] = state.best_step;
  json["evaluations_without_gain"] = state.evaluations_without_gain;
  json["dropout_pass"] = state.dropout_pass;
  json["data"] = {{"seed", state.cursor.seed},
                  {"epoch", state.cursor.epoch},
                  {"position", state.cursor.position},
                  {"fingerprint", state.cursor.fingerprint}};
  if (!state.values.empty()) json["values"] = state.values;
  json["options"] = state.options;
  write_atomically(directory / "trainer_state.json", json.dump(2) + "\n");
}

GRAFT_INLINE TrainerState read_trainer_state(std::filesystem::path const& directory) {
  auto const path = directory / "trainer_state.json";
  detail::Json const json = detail::parse_json_file(path, "checkpoint");
  detail::JsonObject const object(json, "checkpoint", path.string());
  auto const word = [&](detail::JsonObject const& from, char const* key) {
    auto const& value = from.at(key);
    from.require_that(value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0), key,
                      " must be an integer of 0 or more");
    return value.get<std::uint64_t>();
  };
  TrainerState state;
  state.step = object.integer("global_step");
  object.require_that(state.step >= 0, "global_step must be 0 or more: got ", state.step);
  state.best_metric = object.find_number("best_metric");
  state.best_step = object.integer("best_global_step");
  state.evaluations_without_gain = object.integer("evaluations_without_gain");
  state.dropout_pass = word(object, "dropout_pass");
  auto const data = object.find_object("data");
  object.require_that(data.has_value(), "the key \"data\" is missing");
  state.cursor = {word(*data, "seed"), data->integer("epoch"), data->integer("position"), word(*data, "fingerprint")};
  if (auto const values = object.find_object("values"))
    for (auto const& [key, value] : values->json().items()) {
      object.require_that(value.is_number(), "values must be numbers: got ", key);
      state.values[key] = value.get<double>();
    }
  if (auto const options = object.find_object("options"))
    for (auto const& [key, value] : options->json().items()) state.options[key] = options->string(key);
  return state;
}

GRAFT_INLINE void check_same_options(TrainerState const& state, std::map<std::string, std::string> const& options,
                                     std::filesystem::path const& checkpoint) {
  std::string differences;
  auto const note = [&](std::string const& key, std::string const& before, std::string const& now) {
    differences += (differences.empty() ? "" : "; ") + key + " was " + before + " and is now " + now;
  };
  for (auto const& [key, value] : state.options) {
    auto const found = options.find(key);
    if (found == options.end() || found->second != value) note(key, value, found == options.end() ? "not set" : found->second);
  }
  for (auto const& [key, value] : options)
    if (state.options.count(key) == 0) note(key, "not set", value);
  require(differences.empty(), "resume", checkpoint.string(), " belongs to a run with other options: ", differences);
}

GRAFT_INLINE std::optional<Index> checkpoint_step(std::filesystem::path const& directory) {
  std::string const name = directory.filename().string();
  std::string_view const prefix = "checkpoint-";
  if (!name.starts_with(prefix) || !std::filesystem::exists(directory / "trainer_state.json")) return std::nullopt;
  Index step = 0;
  std::from_chars(name.data() + prefix.size(), name.data() + name.size(), step);
  if (step < 0 || name != std::string(prefix) + std::to_string(step)) return std::nullopt;
  return step;
}

GRAFT_INLINE std::optional<std::filesystem::path> latest_checkpoint(std::filesystem::path const& output) {
  std::optional<std::filesystem::path> latest;
  Index highest = -1;
  if (!std::filesystem::is_directory(output)) return latest;
  for (auto const& entry : std::filesystem::directory_iterator(output))
    if (auto const step = checkpoint_step(entry.path()); step && *step > highest) {
      highest = *step;
      latest = entry.path();
    }
  return latest;
}

}  // namespace graft
