// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/cpu/attention_bf16.hpp>
#include <graft/backend/cpu/attention_tile.hpp>
#include <graft/backend/precision.hpp>
#include <graft/core/parallel.hpp>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <span>
#include <type_traits>

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
/// With Precision::bf16 or int8 the products are those of `attend_bf16` where the processor has them.
template <class Derived>
struct CpuAttentionForward {
  template <Scalar T>
  void attention_forward(InArg<T> q, InArg<T> k, InArg<T> v, AttentionShape shape, PackedSequences const& packed,
                         Out<T> o, std::type_identity_t<Out<T>> lse) {
    assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
    assert(q.cols == shape.heads * shape.head_dim && k.cols == shape.kv_heads * shape.head_dim && v.cols == k.cols);
    assert(o.cols == q.cols && o.rows == q.rows && lse.rows == q.rows && lse.cols == shape.heads);
    Index const sequences = packed.size();
    if (sequences == 0) return;
    auto& self = *static_cast<Derived*>(this);
    TileList tiles(self.workspace().shared(scratch_bytes<Index>(sequences + 1)).template take<Index>(sequences + 1),
                   sequences);
    tiles.number([&](Index s) { return packed.end(s) - packed.begin(s); });
    // Heads that read the same keys go together in bf16, which packs the keys; not where that leaves few tasks.
    Index const group = shape.heads / shape.kv_heads;
    bool const in_bf16 = std::is_same_v<T, float> && self.precision() != Precision::f32 && attends_in_bf16(shape.head_dim);
    Index const together = in_bf16 && tiles.count() * shape.kv_heads >= few_tasks ? group : 1, parts = shape.heads / together;
    auto const scratch =
        self.workspace().per_thread(in_bf16 ? attend_bf16_bytes(together, shape.head_dim) : attend_bytes<T>());
    parallel_for(tiles.count() * parts, [&](Index task) {
      Index const tile = tiles.count() - 1 - task / parts, head = task % parts * together;  // late, long tiles first
      Index const s = tiles.sequence_of(tile), row = tiles.row_of(tile), prefix = packed.prefix(s);
      Index const first = packed.begin(s), head_row = packed.begin(packed.head(s)), t = first + row, column = head * shape.head_dim;
      Index const kv = head / group * shape.head_dim;
      QueryRows<T> const queries{q.row(t) + column, q.stride, std::min(query_tile, packed.end(s) - t), prefix + row, 1};
      KeyRows<T> const keys{k.row(first) + kv, v.row(first) + kv, k.stride, v.stride, k.row(head_row) + kv, v.row(head_row) + kv, prefix};
#if GRAFT_HAS_BF16_LANES
      if constexpr (std::is_same_v<T, float>)
        if (in_bf16)
          return attend_bf16(queries, together, keys, shape, scratch.mine(), o.row(t) + column, o.stride,
                             [&](Index h, Index i, T value) { lse.row(t + i)[head + h] = value; });
#endif
      attend(self, queries, keys, shape, scratch.mine(), o.row(t) + column, o.stride,
             [&](Index i, T value) { lse.row(t + i)[head] = value; });
    });
  }

 private:
  static constexpr Index few_tasks = 16;
};

}  // namespace graft::detail
