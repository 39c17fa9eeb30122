// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/io/ggml_type.hpp>
#include <graft/io/mapped_file.hpp>
#include <graft/quant/storage.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// The value types of GGUF metadata, by the numbers of the format.
enum class GgufType : std::int32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// "u32", "string", …
[[nodiscard]] std::string_view name(GgufType type);

/// One tensor of a GGUF file.
struct GgufTensor {
  std::string name;
  GgmlType type;                     ///< as stored; `type.storage` is empty for types that graft does not compute with
  std::vector<Index> shape;          ///< slowest dimension first: a weight is {out, in}
  std::span<std::byte const> bytes;  ///< rows of blocks, in the mapped file

  /// Error, naming tensor and type: graft does not decode the type.
  [[nodiscard]] Storage storage() const {
    require(type.storage.has_value(), "gguf", "tensor ", name, " has type ", type.name, ", which graft does not decode");
    return *type.storage;
  }
};

/// What `GgufFile::keys` tells about a metadata entry.
struct GgufKey {
  std::string key;
  std::string type;     ///< "u32", "string", "array of string", …
  std::string summary;  ///< the value on one line, long ones cut
};

/// What metadata values can be read as. Integers of any width convert when the value fits; f32 and integers to double.
template <class V>
concept GgufReadable = std::same_as<V, bool> || std::same_as<V, std::int64_t> || std::same_as<V, double> ||
                       std::same_as<V, std::string> || std::same_as<V, std::vector<std::string>> ||
                       std::same_as<V, std::vector<double>> || std::same_as<V, std::vector<std::int64_t>>;

/// A GGUF file, version 2 or 3, little-endian (ggml, `docs/gguf.md`): metadata and tensors, memory-mapped. The whole header
/// is checked when it is opened: types, lengths, duplicate names, alignment, and that the tensors lie one behind the other
/// inside the file. Copies share the mapping.
class GgufFile {
 public:
  /// Errors name the file and the key, tensor or byte where it stops making sense.
  explicit GgufFile(std::filesystem::path const& path);

  [[nodiscard]] std::filesystem::path const& path() const { return file_.path(); }
  [[nodiscard]] MappedFile const& mapping() const { return file_; }
  [[nodiscard]] std::uint32_t version() const { return version_; }
  [[nodiscard]] Index alignment() const { return alignment_; }

  [[nodiscard]] bool has(std::string_view key) const { return entry(key) != nullptr; }

  [[nodiscard]] bool is_array(std::string_view key) const { return has(key) && entry(key)->type == GgufType::array; }

  /// The value of `key`, empty if the file has no such key. Error: a value of another type or out of range.
  template <GgufReadable V>
  [[nodiscard]] std::optional<V> find(std::string_view key) const {
    Entry const* const found = entry(key);
    if (found == nullptr) return std::nullopt;
    V value;
    read(*found, value);
    return value;
  }

  /// As `find`. Error: the key is missing.
  template <GgufReadable V>
  [[nodiscard]] V get(std::string_view key) const {
    std::optional<V> value = find<V>(key);
    require(value.has_value(), "gguf", path().string(), ": the key ", key, " is missing");
    return *std::move(value);
  }

  /// `general.architecture`, for example "llama".
  [[nodiscard]] std::string architecture() const { return get<std::string>("general.architecture"); }

  /// All metadata in the order of the file.
  [[nodiscard]] std::vector<GgufKey> keys() const;

  /// All tensors in the order of the file.
  [[nodiscard]] std::span<GgufTensor const> tensors() const { return tensors_; }

  /// The tensor with that name, or null.
  [[nodiscard]] GgufTensor const* find_tensor(std::string_view name) const;

 private:
  struct Entry {
    std::string key;
    GgufType type = GgufType::u8;
    GgufType element = GgufType::u8;  // of an array
    std::uint64_t count = 1;
    std::byte const* data = nullptr;  // checked to lie in the file
  };
  class Reader;

  [[nodiscard]] Entry const* entry(std::string_view key) const;
  [[noreturn]] void wrong_type(Entry const& entry, std::string_view wanted) const;
  [[nodiscard]] std::int64_t integer(Entry const& entry, GgufType type, std::byte const* data) const;
  [[nodiscard]] double real(Entry const& entry, GgufType type, std::byte const* data) const;
  void read(Entry const& entry, bool& value) const;
  void read(Entry const& entry, std::int64_t& value) const;
  void read(Entry const& entry, double& value) const;
  void read(Entry const& entry, std::string& value) const;
  void read(Entry const& entry, std::vector<std::string>& value) const;
  void read(Entry const& entry, std::vector<double>& value) const;
  void read(Entry const& entry, std::vector<std::int64_t>& value) const;
  [[nodiscard]] std::string summary(Entry const& entry) const;

  void read_metadata(Reader& reader, std::uint64_t count);
  void read_tensor_infos(Reader& reader, std::uint64_t count);

  MappedFile file_;
  std::uint32_t version_ = 0;
  Index alignment_ = 32;
  std::vector<Entry> entries_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> entry_index_;
  std::map<std::string, std::size_t, std::less<>> tensor_index_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/io/gguf.tpp>
#endif
