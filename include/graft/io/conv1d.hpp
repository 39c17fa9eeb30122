// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/quant/host_tensor.hpp>
#include <graft/quant/storage.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace graft {

/// Whether the safetensors file of a Hugging Face model holds this weight as (in, out): those of transformers' Conv1D, which
/// GPT-2 has for linear modules. graft, PEFT's lora_A and lora_B, and GGUF files have (out, in).
[[nodiscard]] constexpr bool is_conv1d_weight(std::string_view name) {
  constexpr std::array<std::string_view, 4> ends{".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight"};
  return name.starts_with("transformer.h.") && std::ranges::any_of(ends, [&](auto end) { return name.ends_with(end); });
}

namespace detail {

/// A copy of the (rows, cols) elements of `size` bytes each as (cols, rows).
inline void transpose_bytes(std::byte const* from, Index rows, Index cols, std::size_t size, std::byte* to) {
  auto const place = [size](Index i) { return static_cast<std::size_t>(i) * size; };
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; ++c) std::memcpy(to + place(c * rows + r), from + place(r * cols + c), size);
}

/// (rows, cols) → (cols, rows).
template <class T>
[[nodiscard]] std::vector<T> transposed(std::vector<T> const& values, Index rows, Index cols) {
  std::vector<T> result(values.size());
  transpose_bytes(reinterpret_cast<std::byte const*>(values.data()), rows, cols, sizeof(T), reinterpret_cast<std::byte*>(result.data()));
  return result;
}

/// The transpose of a matrix that is not in blocks, in memory of its own.
[[nodiscard]] inline HostTensor transposed(HostTensor const& tensor) {
  Index const rows = tensor.rows(), cols = tensor.cols();
  auto const bytes = static_cast<std::size_t>(tensor.matrix().bytes());
  std::shared_ptr<std::byte[]> const memory(new std::byte[bytes]);
  transpose_bytes(tensor.data, rows, cols, static_cast<std::size_t>(row_bytes(tensor.storage, 1)), memory.get());
  return {tensor.storage, {cols, rows}, memory.get(), memory};
}

}  // namespace detail

}  // namespace graft
