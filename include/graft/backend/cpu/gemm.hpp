// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/core/parallel.hpp>

#include <algorithm>
#include <cassert>

namespace graft::detail {

/// How one product is cut into tiles of its output, by its shape alone. A tile is one single-threaded product over the
/// whole depth, so its bits do not depend on who computes it or when.
struct TileGrid {
  Index tile_rows;
  Index tile_cols;
  Index row_tiles;
  Index col_tiles;

  TileGrid(Index rows, Index cols) {
    tile_rows = balanced(rows, 256, 16);
    row_tiles = ceil_div(rows, tile_rows);
    // Few rows: narrower tiles, so that there is work for several threads.
    tile_cols = balanced(cols, row_tiles >= 4 ? 768 : (row_tiles >= 2 ? 256 : 96), 16);
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

/// c[rows, cols] = alpha·(op(a)·op(b))[rows, cols] + beta·c by `tile_gemm`, which computes one tile on one thread.
template <class Derived>
struct CpuGemm {
  template <Scalar T>
  void gemm(Op op_a, Op op_b, ValueArg<T> alpha, InArg<T> a, InArg<T> b, ValueArg<T> beta, Out<T> c) {
    Index const depth = op_a == Op::none ? a.cols : a.rows;
    assert((op_a == Op::none ? a.rows : a.cols) == c.rows && (op_b == Op::none ? b.cols : b.rows) == c.cols);
    assert((op_b == Op::none ? b.rows : b.cols) == depth);
    parallel_tiles(c.rows, c.cols, [&](Index row, Index row_end, Index col, Index col_end) {
      T const* const from_a = op_a == Op::none ? a.row(row) : a.data + row;
      T const* const from_b = op_b == Op::none ? b.data + col : b.row(col);
      static_cast<Derived*>(this)->tile_gemm(op_a, op_b, row_end - row, col_end - col, depth, alpha, from_a, a.stride,
                                             from_b, b.stride, beta, c.row(row) + col, c.stride);
    });
  }
};

}  // namespace graft::detail
