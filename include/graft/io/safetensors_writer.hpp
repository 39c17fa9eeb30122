// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>
#include <graft/io/atomic_file.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace graft {

/// A tensor to write: `bytes` are its little-endian elements, or, where the whole tensor should not be in memory at once,
/// `write` appends exactly that many bytes.
struct TensorToWrite {
  std::string name;
  std::string dtype;  ///< "F32", "BF16", …; `dtype_of_storage` gives it for a Storage
  std::vector<Index> shape;
  std::span<std::byte const> bytes = {};
  std::function<void(AtomicFile&)> write = {};
};

/// Writes a safetensors file, atomically and without a second copy of the tensors. Like the reference writer it sorts
/// tensors by falling element size, then by name, and pads the header to 8 bytes, so every tensor is aligned.
/// `__metadata__` gets `metadata` and, unless that has another, `"format": "pt"`, which transformers asks for.
/// Errors: a name twice, an unknown dtype, bytes that do not match the shape, a failure of the system.
void write_safetensors(std::filesystem::path const& path, std::span<TensorToWrite const> tensors,
                       std::map<std::string, std::string> metadata = {});

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/safetensors_writer.tpp>
#endif
