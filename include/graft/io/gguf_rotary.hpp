// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

namespace graft::detail {

/// Whether llama.cpp turns neighbouring elements of q and k in this architecture, so that its converter reorders their rows.
[[nodiscard]] constexpr bool interleaves_rotary_pairs(std::string_view architecture) {
  return architecture == "llama" || architecture == "smollm3";
}

/// Puts the rows of each head from split rotary pairs into GGUF's interleaved ones: row s·D/2 + i becomes 2i + s.
template <class T>
void interleave_rotary_pairs(std::vector<T>& values, Index rows, Index cols, Index head_dim) {
  std::vector<T> const old = values;
  for (Index row = 0; row < rows; ++row) {
    Index const inside = row % head_dim, half = head_dim / 2;
    Index const target = row - inside + inside % half * 2 + inside / half;
    std::copy_n(old.begin() + row * cols, cols, values.begin() + target * cols);
  }
}

}  // namespace graft::detail
