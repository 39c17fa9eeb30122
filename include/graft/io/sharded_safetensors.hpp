// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/io/safetensors.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// The weights of a Hugging Face model directory: `model.safetensors`, or, if that is not there, the shards that
/// `model.safetensors.index.json` lists. Copies share the mappings.
class ShardedSafetensors {
 public:
  /// `path` is the directory, a single .safetensors file or the index itself. Errors: neither file is there; a shard is
  /// missing or malformed; a tensor is in two shards, or not in the one that the index names.
  explicit ShardedSafetensors(std::filesystem::path const& path);

  /// The tensor with that name, or null.
  [[nodiscard]] TensorInfo const* find(std::string_view name) const;

  /// All names, sorted.
  [[nodiscard]] std::vector<std::string> names() const;

  [[nodiscard]] std::vector<SafetensorsFile> const& files() const { return *files_; }

  /// Keeps all mappings alive.
  [[nodiscard]] std::shared_ptr<void const> owner() const { return files_; }

 private:
  struct Location {
    std::size_t file;
    TensorInfo const* tensor;
  };
  void read_index(std::filesystem::path const& index);
  void add_file(std::vector<SafetensorsFile>& files, std::filesystem::path const& path);

  std::shared_ptr<std::vector<SafetensorsFile> const> files_;
  std::map<std::string, Location, std::less<>> tensors_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/sharded_safetensors.tpp>
#endif
