// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/io/json_file.hpp>
#include <graft/io/printable.hpp>
#include <graft/io/safetensors.hpp>
#include <graft/io/safetensors_writer.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <tuple>
#include <utility>

namespace graft {

namespace detail {

/// The bytes of a tensor, after checking that it can be written.
[[nodiscard]] inline std::uint64_t checked_size(TensorToWrite const& tensor) {
  std::string const name = printable(tensor.name);
  require(tensor.name != "__metadata__", "safetensors", "a tensor cannot be called __metadata__");
  SafetensorsDtype const* const dtype = find_dtype(tensor.dtype);
  require(dtype != nullptr, "safetensors", "tensor ", name, " has the unknown dtype \"", tensor.dtype, "\"");
  Index bits = dtype->bits;
  for (Index const extent : tensor.shape) {
    require(extent >= 0, "safetensors", "dimensions of tensor ", name, " must not be negative: got ", extent);
    require(extent == 0 || bits <= std::numeric_limits<Index>::max() / extent, "safetensors", "tensor ", name, " is too large");
    bits *= extent;
  }
  require(bits % 8 == 0, "safetensors", "tensor ", name, " of dtype ", tensor.dtype, " does not fill whole bytes");
  auto const size = static_cast<std::uint64_t>(bits / 8);
  require(tensor.write || tensor.bytes.size() == size, "safetensors", "tensor ", name, " of dtype ", tensor.dtype, " needs ", size,
          " bytes: got ", tensor.bytes.size());
  return size;
}

}  // namespace detail

GRAFT_INLINE void write_safetensors(std::filesystem::path const& path, std::span<TensorToWrite const> tensors,
                                    std::map<std::string, std::string> metadata) {
  using detail::Json;
  std::vector<std::pair<TensorToWrite const*, std::uint64_t>> order;
  for (TensorToWrite const& tensor : tensors) order.emplace_back(&tensor, detail::checked_size(tensor));
  std::ranges::sort(order, {}, [](auto const& item) {
    return std::tuple(-detail::find_dtype(item.first->dtype)->bits, std::string_view(item.first->name));
  });

  metadata.try_emplace("format", "pt");
  std::string header;
  try {
    // One entry a time, so that entries stand in the order of their data.
    header = "{\"__metadata__\":" + Json(metadata).dump();
    std::map<std::string_view, bool> names;
    std::uint64_t offset = 0;
    for (auto const& [tensor, size] : order) {
      require(names.emplace(tensor->name, true).second, "safetensors", "the tensor ", printable(tensor->name), " occurs twice");
      Json const entry = {{"dtype", tensor->dtype}, {"shape", tensor->shape}, {"data_offsets", {offset, offset + size}}};
      header += "," + Json(tensor->name).dump() + ":" + entry.dump();
      offset += size;
    }
  } catch (Json::exception const& error) {
    fail("safetensors", "names and metadata must be UTF-8: ", error.what());
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');

  write_atomically(path, [&](AtomicFile& file) {
    auto const length = static_cast<std::uint64_t>(header.size());
    file.write(std::as_bytes(std::span(&length, 1)));
    file.write(header);
    for (auto const& [tensor, size] : order) {
      std::uint64_t const before = file.size();
      if (tensor->write)
        tensor->write(file);
      else
        file.write(tensor->bytes);
      require(file.size() - before == size, "safetensors", "tensor ", tensor->name, " needs ", size, " bytes: its writer gave ",
              file.size() - before);
    }
  });
}

}  // namespace graft
