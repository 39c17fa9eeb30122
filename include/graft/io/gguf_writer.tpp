// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/io/ggml_type.hpp>
#include <graft/io/gguf.hpp>
#include <graft/io/gguf_writer.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <set>
#include <string_view>
#include <type_traits>

namespace graft {

namespace detail {

template <class V>
[[nodiscard]] constexpr GgufType gguf_type_of() {
  if constexpr (std::is_same_v<V, bool>) return GgufType::boolean;
  else if constexpr (std::is_same_v<V, std::uint32_t>) return GgufType::u32;
  else if constexpr (std::is_same_v<V, std::int32_t>) return GgufType::i32;
  else if constexpr (std::is_same_v<V, std::uint64_t>) return GgufType::u64;
  else if constexpr (std::is_same_v<V, std::int64_t>) return GgufType::i64;
  else if constexpr (std::is_same_v<V, float>) return GgufType::f32;
  else if constexpr (std::is_same_v<V, double>) return GgufType::f64;
  else if constexpr (std::is_same_v<V, std::string>) return GgufType::string;
  else return GgufType::array;
}

/// Writes the parts of a GGUF header.
class GgufHeader {
 public:
  explicit GgufHeader(AtomicFile& file) : file_(file) {}

  template <class U>
    requires std::is_arithmetic_v<U>
  void put(U value) {
    file_.write(std::as_bytes(std::span(&value, 1)));
  }
  void put(GgufType type) { put(static_cast<std::int32_t>(type)); }
  void put(std::string const& text) {
    put(static_cast<std::uint64_t>(text.size()));
    file_.write(text);
  }
  template <class U>
  void put(std::vector<U> const& values) {
    put(gguf_type_of<U>());
    put(static_cast<std::uint64_t>(values.size()));
    for (U const& value : values) put(value);
  }

 private:
  AtomicFile& file_;
};

[[nodiscard]] inline std::uint64_t gguf_alignment(GgufMetadata const& metadata) {
  for (auto const& [key, value] : metadata) {
    if (key != "general.alignment") continue;
    auto const* const alignment = std::get_if<std::uint32_t>(&value);
    require(alignment != nullptr && std::has_single_bit(*alignment), "gguf", "general.alignment must be a u32 and a power of two");
    return *alignment;
  }
  return 32;
}

/// The bytes of a tensor, after checking that it can be written.
[[nodiscard]] inline std::uint64_t checked_size(GgufTensorToWrite const& tensor) {
  require(!tensor.name.empty() && tensor.name.size() < 64, "gguf", "a tensor name must have 1..63 bytes: got '", tensor.name, "'");
  require(!tensor.shape.empty() && tensor.shape.size() <= 4, "gguf", "tensor ", tensor.name, " must have 1..4 dimensions: got ",
          tensor.shape.size());
  Index rows = 1;
  for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
    Index const extent = tensor.shape[d];
    require(extent >= 1, "gguf", "dimensions of tensor ", tensor.name, " must be positive: got ", extent);
    if (d + 1 == tensor.shape.size()) break;
    require(rows <= std::numeric_limits<Index>::max() / extent, "gguf", "tensor ", tensor.name, " is too large");
    rows *= extent;
  }
  Index const row = row_bytes(tensor.storage, tensor.shape.back());
  require(rows <= std::numeric_limits<Index>::max() / row, "gguf", "tensor ", tensor.name, " is too large");
  auto const size = static_cast<std::uint64_t>(rows * row);
  require(tensor.write || tensor.bytes.size() == size, "gguf", "tensor ", tensor.name, " of type ", name(tensor.storage), " needs ",
          size, " bytes: got ", tensor.bytes.size());
  return size;
}

inline void write_padding(AtomicFile& file, std::uint64_t alignment) {
  std::uint64_t const missing = (alignment - file.size() % alignment) % alignment;
  file.write(std::string(missing, '\0'));
}

}  // namespace detail

GRAFT_INLINE void write_gguf(std::filesystem::path const& path, GgufMetadata const& metadata,
                             std::span<GgufTensorToWrite const> tensors) {
  std::set<std::string_view> names;
  for (auto const& [key, value] : metadata) {
    require(!key.empty() && key.size() < 65536, "gguf", "a key must have 1..65535 bytes: got '", key, "'");
    require(names.insert(key).second, "gguf", "the key ", key, " occurs twice");
  }
  names.clear();
  std::uint64_t const alignment = detail::gguf_alignment(metadata);
  std::vector<std::uint64_t> sizes;
  for (GgufTensorToWrite const& tensor : tensors) {
    sizes.push_back(detail::checked_size(tensor));
    require(names.insert(tensor.name).second, "gguf", "the tensor ", tensor.name, " occurs twice");
  }
  write_atomically(path, [&](AtomicFile& file) {
    detail::GgufHeader header(file);
    file.write("GGUF");
    header.put(std::uint32_t{3});
    header.put(static_cast<std::uint64_t>(tensors.size()));
    header.put(static_cast<std::uint64_t>(metadata.size()));
    for (auto const& [key, value] : metadata) {
      header.put(key);
      std::visit(
          [&](auto const& content) {
            header.put(detail::gguf_type_of<std::remove_cvref_t<decltype(content)>>());
            header.put(content);
          },
          value);
    }
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      header.put(tensors[i].name);
      header.put(static_cast<std::uint32_t>(tensors[i].shape.size()));
      for (std::size_t d = tensors[i].shape.size(); d-- > 0;) header.put(static_cast<std::int64_t>(tensors[i].shape[d]));
      header.put(ggml_type(tensors[i].storage).id);
      header.put(offset);
      offset = (offset + sizes[i] + alignment - 1) & ~(alignment - 1);
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      detail::write_padding(file, alignment);
      std::uint64_t const before = file.size();
      if (tensors[i].write)
        tensors[i].write(file);
      else
        file.write(tensors[i].bytes);
      require(file.size() - before == sizes[i], "gguf", "tensor ", tensors[i].name, " needs ", sizes[i],
              " bytes: its writer gave ", file.size() - before);
    }
    detail::write_padding(file, alignment);
  });
}

}  // namespace graft
