// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/workspace.hpp>
#include <graft/core/parallel.hpp>

#include <algorithm>
#include <cassert>

namespace graft::detail {

/// How one product is cut into tiles of its output, by its shape alone. A tile is one single-threaded product over the
/// whole depth, so its bits do not depend on who computes it or when.
struct TileGrid {
  static constexpr Index most_rows = 256;
  static constexpr Index most_cols = 768;

  Index tile_rows;
  Index tile_cols;
  Index row_tiles;
  Index col_tiles;

  TileGrid(Index rows, Index cols) {
    tile_rows = balanced(rows, most_rows, 16);
    row_tiles = ceil_div(rows, tile_rows);
    // Few rows: narrower tiles, so that there is work for several threads.
    tile_cols = balanced(cols, row_tiles >= 4 ? most_cols : (row_tiles >= 2 ? 256 : 96), 16);
    col_tiles = ceil_div(cols, tile_cols);
  }

  [[nodiscard]] Index tiles() const { return row_tiles * col_tiles; }

 private:
  static Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
  /// The size of equal parts, none larger than `largest`, rounded up to a multiple of `unit`; at least `unit`.
  static Index balanced(Index total, Index largest, Index unit) {
    Index const parts = std::max<Index>(1, ceil_div(total, largest));
    return std::max(unit, ceil_div(ceil_div(total, parts), unit) * unit);
  }
};

/// Calls f(row_begin, row_end, col_begin, col_end) for every tile of a (rows, cols) output, in parallel.
template <class F>
void parallel_tiles(Index rows, Index cols, F&& f) {
  if (rows == 0 || cols == 0) return;
  TileGrid const grid(rows, cols);
  parallel_for(grid.tiles(), [&](Index tile) {
    Index const row = tile / grid.col_tiles * grid.tile_rows, col = tile % grid.col_tiles * grid.tile_cols;
    f(row, std::min(rows, row + grid.tile_rows), col, std::min(cols, col + grid.tile_cols));
  });
}

/// Rows that lie a multiple of 1 KiB apart share few cache sets, so that walking down a column evicts itself. Products
/// that pack their operands column by column lose a quarter of their rate on them.
template <class T>
[[nodiscard]] constexpr bool crowds_cache_sets(Index stride) {
  return stride * static_cast<Index>(sizeof(T)) % 1024 == 0;
}

/// A distance of rows of `cols` elements, at least that, that spreads over the cache sets.
template <class T>
[[nodiscard]] constexpr Index spread_stride(Index cols) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(T));
  Index const whole = (cols + line - 1) / line * line;
  return crowds_cache_sets<T>(whole) ? whole + line : whole;
}

/// c[rows, cols] = alpha·(op(a)·op(b))[rows, cols] + beta·c by `tile_gemm`, which computes one tile on one thread.
/// Operands that are walked along their columns and crowd the cache sets are copied slice by slice, where the work is
/// enough to pay for it.
template <class Derived>
struct CpuGemm {
  template <Scalar T>
  void gemm(Op op_a, Op op_b, ValueArg<T> alpha, InArg<T> a, InArg<T> b, ValueArg<T> beta, Out<T> c) {
    Index const depth = op_a == Op::none ? a.cols : a.rows;
    assert((op_a == Op::none ? a.rows : a.cols) == c.rows && (op_b == Op::none ? b.cols : b.rows) == c.cols);
    assert((op_b == Op::none ? b.rows : b.cols) == depth);
    auto& self = *static_cast<Derived*>(this);
    bool const deep = depth >= slice && c.rows >= worth && c.cols >= worth;
    bool const spread_a = deep && op_a == Op::transpose && crowds_cache_sets<T>(a.stride);
    bool const spread_b = deep && op_b == Op::none && crowds_cache_sets<T>(b.stride);
    bool const spread = spread_a || spread_b;
    auto const scratch = self.workspace().per_thread(spread ? scratch_bytes<T>(slice * (stride_a<T> + stride_b<T>)) : 0);
    parallel_tiles(c.rows, c.cols, [&](Index row, Index row_end, Index col, Index col_end) {
      Index const rows = row_end - row, cols = col_end - col;
      T const* const from_a = op_a == Op::none ? a.row(row) : a.data + row;
      T const* const from_b = op_b == Op::none ? b.data + col : b.row(col);
      T* const to = c.row(row) + col;
      if (!spread)
        return self.tile_gemm(op_a, op_b, rows, cols, depth, alpha, from_a, a.stride, from_b, b.stride, beta, to, c.stride);
      Scratch mine = scratch.mine();
      Out<T> const copy_a(mine.take<T>(slice * stride_a<T>), slice, rows, stride_a<T>);
      Out<T> const copy_b(mine.take<T>(slice * stride_b<T>), slice, cols, stride_b<T>);
      for (Index k = 0; k < depth; k += slice) {
        Index const n = std::min(slice, depth - k);
        In<T> slice_a(from_a + (op_a == Op::none ? k : k * a.stride), n, 0, a.stride);
        In<T> slice_b(from_b + (op_b == Op::none ? k * b.stride : k), n, 0, b.stride);
        if (spread_a) slice_a = copied(slice_a, copy_a);
        if (spread_b) slice_b = copied(slice_b, copy_b);
        self.tile_gemm(op_a, op_b, rows, cols, n, alpha, slice_a.data, slice_a.stride, slice_b.data, slice_b.stride,
                       k == 0 ? beta : T{1}, to, c.stride);
      }
    });
  }

 private:
  static constexpr Index slice = 128;  // of the depth
  static constexpr Index worth = 64;   // rows and columns of c that pay for a copy
  template <class T>
  static constexpr Index stride_a = spread_stride<T>(TileGrid::most_rows);
  template <class T>
  static constexpr Index stride_b = spread_stride<T>(TileGrid::most_cols);

  template <class T>
  static In<T> copied(In<T> from, Out<T> to) {
    for (Index k = 0; k < from.rows; ++k) std::copy_n(from.row(k), to.cols, to.row(k));
    return to;
  }
};

}  // namespace graft::detail
