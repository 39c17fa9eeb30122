// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/attention_forward.hpp>

namespace graft::detail {

/// Attention over key/value caches. A task is one tile of queries of one key/value head. A sequence with one query row
/// (generation) takes the heads that share the keys as the rows of one tile, so that the cache is read once.
template <class Derived>
struct CpuAttentionCached {
  template <Scalar T>
  void attention_cached(InArg<T> q, AttentionShape shape, std::span<CachedSequence<T> const> sequences, Out<T> o) {
    assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
    assert(q.cols == shape.heads * shape.head_dim && o.cols == q.cols && o.rows == q.rows);
    auto& self = *static_cast<Derived*>(this);
    auto const count = static_cast<Index>(sequences.size());
    TileList tiles(self.workspace().shared(scratch_bytes<Index>(count + 1)).template take<Index>(count + 1), count);
    tiles.number([&](Index s) { return sequences[static_cast<std::size_t>(s)].q_rows; });
    auto const scratch = self.workspace().per_thread(attend_bytes<T>());
    parallel_for(tiles.count() * shape.kv_heads, [&](Index task) {
      Index const tile = tiles.count() - 1 - task / shape.kv_heads, kv_head = task % shape.kv_heads;
      attend_group(self, q, shape, sequences[static_cast<std::size_t>(tiles.sequence_of(tile))], tiles.row_of(tile),
                   kv_head, scratch.mine(), o);
    });
  }

 private:
  template <class T>
  static void attend_group(Derived& self, In<T> q, AttentionShape const& shape, CachedSequence<T> const& sequence,
                           Index row, Index kv_head, Scratch scratch, Out<T> o) {
    Index const group = shape.heads / shape.kv_heads, kv = kv_head * shape.head_dim;
    Index const stride = shape.kv_heads * shape.head_dim;
    Index const t = sequence.q_begin + row, rows = std::min(query_tile, sequence.q_rows - row);
    Index const position = sequence.length - sequence.q_rows + row;
    KeyRows<T> const keys{sequence.keys + kv, sequence.values + kv, stride, stride};
    auto const ignore = [](Index, T) {};
    if (rows == 1) {
      for (Index head = 0; head < group; head += query_tile) {
        Index const column = (kv_head * group + head) * shape.head_dim;
        QueryRows<T> const queries{q.row(t) + column, shape.head_dim, std::min(query_tile, group - head), position, 0};
        attend(self, queries, keys, shape, scratch, o.row(t) + column, shape.head_dim, ignore);
      }
      return;
    }
    for (Index head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      Index const column = head * shape.head_dim;
      QueryRows<T> const queries{q.row(t) + column, q.stride, rows, position, 1};
      attend(self, queries, keys, shape, scratch, o.row(t) + column, o.stride, ignore);
    }
  }
};

}  // namespace graft::detail
