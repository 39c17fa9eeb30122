// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/safetensors.hpp>
#include <graft/io/safetensors_writer.hpp>

#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace graft::test {

/// The tensors of a safetensors file in memory: to look at, to spoil and to write back.
struct TensorFile {
  struct Entry {
    std::string dtype;
    std::vector<Index> shape;
    std::vector<std::byte> bytes;
    friend bool operator==(Entry const&, Entry const&) = default;
  };
  std::map<std::string, Entry> tensors;

  TensorFile() = default;
  explicit TensorFile(std::filesystem::path const& path) {
    SafetensorsFile const file(path);
    for (auto const& tensor : file.tensors())
      tensors[tensor.name] = {tensor.dtype, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()}};
  }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> all;
    for (auto const& [name, entry] : tensors) all.insert(name);
    return all;
  }
  void write(std::filesystem::path const& path) const {
    std::vector<TensorToWrite> list;
    for (auto const& [name, entry] : tensors) list.push_back({name, entry.dtype, entry.shape, entry.bytes, {}});
    write_safetensors(path, list);
  }
};

}  // namespace graft::test
