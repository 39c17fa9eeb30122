// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/io/mapped_file.hpp>
#include <graft/quant/storage.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// One tensor of a safetensors file.
struct TensorInfo {
  std::string name;
  std::string dtype;                 ///< as in the file: "F32", "BF16", "I64", …
  std::vector<Index> shape;          ///< slowest dimension first; empty for a scalar
  std::span<std::byte const> bytes;  ///< little-endian elements in the mapped file, perhaps unaligned
};

namespace detail {

struct SafetensorsDtype {
  std::string_view name;
  Index bits;
  std::optional<Storage> storage;
};

/// The dtypes of the format (huggingface/safetensors, `tensor.rs`).
inline constexpr SafetensorsDtype safetensors_dtypes[] = {
    {"F32", 32, Storage::f32}, {"BF16", 16, Storage::bf16}, {"F16", 16, Storage::f16}, {"F64", 64, Storage::f64},
    {"BOOL", 8, {}},           {"F4", 4, {}},               {"F6_E2M3", 6, {}},        {"F6_E3M2", 6, {}},
    {"U8", 8, {}},             {"I8", 8, {}},               {"F8_E5M2", 8, {}},        {"F8_E4M3", 8, {}},
    {"F8_E8M0", 8, {}},        {"F8_E4M3FNUZ", 8, {}},      {"F8_E5M2FNUZ", 8, {}},    {"I16", 16, {}},
    {"U16", 16, {}},           {"I32", 32, {}},             {"U32", 32, {}},           {"C64", 64, {}},
    {"I64", 64, {}},           {"U64", 64, {}},
};

[[nodiscard]] constexpr SafetensorsDtype const* find_dtype(std::string_view name) {
  for (SafetensorsDtype const& dtype : safetensors_dtypes)
    if (dtype.name == name) return &dtype;
  return nullptr;
}

}  // namespace detail

/// The storage that a dtype is; empty for those that graft does not compute with.
[[nodiscard]] constexpr std::optional<Storage> storage_of_dtype(std::string_view dtype) {
  detail::SafetensorsDtype const* const found = detail::find_dtype(dtype);
  return found == nullptr ? std::nullopt : found->storage;
}

/// The dtype of a storage. Error: block formats have none.
[[nodiscard]] inline std::string dtype_of_storage(Storage storage) {
  for (auto const& dtype : detail::safetensors_dtypes)
    if (dtype.storage == storage) return std::string(dtype.name);
  fail("safetensors", "the format has no dtype for ", name(storage));
}

/// A safetensors file, memory-mapped. Accepts exactly what the reference reader accepts (and refuses duplicate keys, as the
/// format demands): header length, JSON, dtypes, shapes, and that the tensors cover the data without holes or overlap up to
/// the last byte. Copies share the mapping.
class SafetensorsFile {
 public:
  /// Errors name the file, the tensor and the rule.
  explicit SafetensorsFile(std::filesystem::path const& path);

  [[nodiscard]] std::filesystem::path const& path() const { return file_.path(); }
  [[nodiscard]] MappedFile const& mapping() const { return file_; }

  /// All tensors, in the order of their data.
  [[nodiscard]] std::span<TensorInfo const> tensors() const { return tensors_; }

  /// The tensor with that name, or null.
  [[nodiscard]] TensorInfo const* find(std::string_view name) const;

  /// The strings of `__metadata__`.
  [[nodiscard]] std::map<std::string, std::string, std::less<>> const& metadata() const { return metadata_; }

 private:
  MappedFile file_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/safetensors.tpp>
#endif
