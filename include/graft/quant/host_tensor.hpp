// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/quant/block_scales.hpp>
#include <graft/quant/storage.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace graft {

/// A tensor in host memory as a file holds it: row-major, its last dimension in the blocks of `storage`.
/// `owner` keeps the memory (usually a mapped file) alive. `scales`: of the formats that have them apart. `mapped`: elements and
/// scales are pages of a read-only mapping of a file, so that they can be dropped and come back.
struct HostTensor {
  Storage storage = Storage::f32;
  std::vector<Index> shape;
  std::byte const* data = nullptr;
  std::shared_ptr<void const> owner;
  std::shared_ptr<BlockScales const> scales = nullptr;
  bool mapped = false;

  [[nodiscard]] Index cols() const { return shape.empty() ? 1 : shape.back(); }
  [[nodiscard]] Index rows() const {
    Index total = 1;
    for (std::size_t d = 0; d + 1 < shape.size(); ++d) total *= shape[d];
    return total;
  }
  [[nodiscard]] StoredMatrix matrix() const { return {storage, data, rows(), cols(), scales.get()}; }
  /// Bytes of the elements and of all that is needed to decode them.
  [[nodiscard]] Index bytes() const { return matrix().bytes() + (scales ? scales->bytes(rows() * cols()) : 0); }
};

/// Where a model gets its weights: `get` returns the tensor of a Hugging Face name, `has` says whether there is one.
struct WeightProvider {
  std::function<HostTensor(std::string const& name)> get;
  std::function<bool(std::string const& name)> has;
};

/// "(2, 3)", for messages.
[[nodiscard]] inline std::string shape_text(std::vector<Index> const& shape) {
  std::string text = "(";
  for (std::size_t d = 0; d < shape.size(); ++d) text += (d ? ", " : "") + std::to_string(shape[d]);
  return text + ")";
}

}  // namespace graft
