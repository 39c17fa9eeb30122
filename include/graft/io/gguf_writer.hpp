// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>
#include <graft/io/atomic_file.hpp>
#include <graft/quant/storage.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace graft {

/// A metadata value to write; the alternative decides the type in the file (u32 for most of llama.cpp's keys).
using GgufMetadataValue =
    std::variant<bool, std::uint32_t, std::int32_t, std::uint64_t, std::int64_t, float, double, std::string,
                 std::vector<std::string>, std::vector<float>, std::vector<std::int32_t>, std::vector<std::uint32_t>>;

/// Keys and values in the order of the file. `general.architecture` comes first by custom.
using GgufMetadata = std::vector<std::pair<std::string, GgufMetadataValue>>;

/// A tensor to write: `bytes` in its storage, or, where the whole tensor should not be in memory at once, `write`, which
/// must append exactly the tensor's bytes.
struct GgufTensorToWrite {
  std::string name;
  Storage storage = Storage::f32;
  std::vector<Index> shape;  ///< slowest dimension first, as `GgufTensor::shape`
  std::span<std::byte const> bytes = {};
  std::function<void(AtomicFile&)> write = {};
};

/// Writes a GGUF version 3 file, atomically and without a second copy of the tensors. Tensors lie in the given order,
/// aligned to `general.alignment` if the metadata have it, else to 32 bytes. Errors: names twice, too long or empty; a shape
/// that is empty or no multiple of the block; bytes that do not match the shape; a failure of the system.
void write_gguf(std::filesystem::path const& path, GgufMetadata const& metadata, std::span<GgufTensorToWrite const> tensors);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/gguf_writer.tpp>
#endif
