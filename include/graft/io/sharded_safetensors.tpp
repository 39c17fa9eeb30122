// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/json_file.hpp>
#include <graft/io/printable.hpp>
#include <graft/io/sharded_safetensors.hpp>

#include <memory>
#include <system_error>
#include <utility>

namespace graft {

GRAFT_INLINE ShardedSafetensors::ShardedSafetensors(std::filesystem::path const& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (path.string().ends_with(".index.json")) {
    read_index(path);
  } else if (!fs::is_directory(path, ignored) || fs::exists(path / "model.safetensors", ignored)) {
    auto files = std::make_shared<std::vector<SafetensorsFile>>();
    add_file(*files, fs::is_directory(path, ignored) ? path / "model.safetensors" : path);
    files_ = std::move(files);
  } else {
    fs::path const index = path / "model.safetensors.index.json";
    require(fs::exists(index, ignored), "safetensors", path.string(),
            " holds neither model.safetensors nor model.safetensors.index.json");
    read_index(index);
  }
  // Only now the files have their final addresses.
  for (auto& [name, location] : tensors_) location.tensor = (*files_)[location.file].find(name);
}

GRAFT_INLINE void ShardedSafetensors::add_file(std::vector<SafetensorsFile>& files, std::filesystem::path const& path) {
  SafetensorsFile file(path);
  for (TensorInfo const& tensor : file.tensors()) {
    auto const [known, fresh] = tensors_.emplace(tensor.name, Location{files.size(), nullptr});
    if (!fresh)
      fail("safetensors", "tensor ", printable(tensor.name), " is in two files: ", files[known->second.file].path().string(), " and ",
           path.string());
  }
  files.push_back(std::move(file));
}

GRAFT_INLINE void ShardedSafetensors::read_index(std::filesystem::path const& index) {
  detail::Json const json = detail::parse_json_file(index, "safetensors");
  detail::JsonObject const root(json, "safetensors", index.string());
  detail::Json const& map = root.at("weight_map");
  root.require_that(map.is_object() && !map.empty(), "weight_map must be an object of tensor and file names: got ",
                    detail::JsonObject::shown(map));
  std::map<std::string, std::size_t> shards;
  for (auto const& [tensor, file] : map.items()) {
    root.require_that(file.is_string(), "the file of tensor ", printable(tensor), " must be a string: got ",
                      detail::JsonObject::shown(file));
    auto const name = file.get<std::string>();
    root.require_that(!name.empty() && name != ".." && name != "." && name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos,
                      "the file of tensor ", printable(tensor), " must be a plain file name: got \"", printable(name), "\"");
    shards.emplace(name, 0);
  }
  auto files = std::make_shared<std::vector<SafetensorsFile>>();
  for (auto& [name, number] : shards) {
    std::filesystem::path const path = index.parent_path() / name;
    std::error_code ignored;
    root.require_that(std::filesystem::exists(path, ignored), "the shard ", printable(name), " is missing");
    number = files->size();
    add_file(*files, path);
  }
  for (auto const& [tensor, file] : map.items()) {
    auto const& name = file.get_ref<std::string const&>();
    auto const found = tensors_.find(tensor);
    root.require_that(found != tensors_.end() && found->second.file == shards.at(name), "tensor ", printable(tensor),
                      " is not in the shard ", printable(name));
  }
  files_ = std::move(files);
}

GRAFT_INLINE TensorInfo const* ShardedSafetensors::find(std::string_view name) const {
  auto const found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second.tensor;
}

GRAFT_INLINE std::vector<std::string> ShardedSafetensors::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (auto const& [name, location] : tensors_) names.push_back(name);
  return names;
}

}  // namespace graft
