// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/cpu/attention_tile.hpp>
#include <graft/core/parallel.hpp>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <span>

namespace graft::detail {

/// Sequences cut into tiles of queries, numbered through: `first` has the number of each sequence's first tile and, last,
/// the number of all tiles.
class TileList {
 public:
  TileList(Index* first, Index sequences) : first_(first), sequences_(sequences) {}

  template <class Rows>
  void number(Rows&& rows) {
    first_[0] = 0;
    for (Index s = 0; s < sequences_; ++s) first_[s + 1] = first_[s] + (rows(s) + query_tile - 1) / query_tile;
  }
  [[nodiscard]] Index count() const { return first_[sequences_]; }
  [[nodiscard]] Index sequence_of(Index tile) const {
    return std::upper_bound(first_, first_ + sequences_ + 1, tile) - first_ - 1;
  }
  /// The first query row of a tile, within its sequence.
  [[nodiscard]] Index row_of(Index tile) const { return (tile - first_[sequence_of(tile)]) * query_tile; }

 private:
  Index* first_;
  Index sequences_;
};

/// A task is one tile of queries of one head: also one long sequence with few heads gives many tasks.
template <class Derived>
struct CpuAttentionForward {
  template <Scalar T>
  void attention_forward(InArg<T> q, InArg<T> k, InArg<T> v, AttentionShape shape, std::span<std::int32_t const> cu,
                         Out<T> o, std::type_identity_t<Out<T>> lse) {
    assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
    assert(q.cols == shape.heads * shape.head_dim && k.cols == shape.kv_heads * shape.head_dim && v.cols == k.cols);
    assert(o.cols == q.cols && o.rows == q.rows && lse.rows == q.rows && lse.cols == shape.heads);
    if (cu.size() < 2) return;
    auto& self = *static_cast<Derived*>(this);
    auto const sequences = static_cast<Index>(cu.size()) - 1;
    TileList tiles(self.workspace().shared(scratch_bytes<Index>(sequences + 1)).template take<Index>(sequences + 1),
                   sequences);
    tiles.number([&](Index s) { return Index{cu[static_cast<std::size_t>(s) + 1] - cu[static_cast<std::size_t>(s)]}; });
    auto const scratch = self.workspace().per_thread(attend_bytes<T>());
    parallel_for(tiles.count() * shape.heads, [&](Index task) {
      Index const tile = tiles.count() - 1 - task / shape.heads, head = task % shape.heads;  // late, long tiles first
      auto const s = static_cast<std::size_t>(tiles.sequence_of(tile));
      Index const first = cu[s], row = tiles.row_of(tile), t = first + row, column = head * shape.head_dim;
      Index const kv = head / (shape.heads / shape.kv_heads) * shape.head_dim;
      QueryRows<T> const queries{q.row(t) + column, q.stride, std::min<Index>(query_tile, cu[s + 1] - t), row, 1};
      KeyRows<T> const keys{k.row(first) + kv, v.row(first) + kv, k.stride, v.stride};
      attend(self, queries, keys, shape, scratch.mine(), o.row(t) + column, o.stride,
             [&](Index i, T value) { lse.row(t + i)[head] = value; });
    });
  }
};

}  // namespace graft::detail
