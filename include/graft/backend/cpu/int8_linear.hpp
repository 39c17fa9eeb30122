// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/elementwise.hpp>
#include <graft/backend/cpu/gemm.hpp>
#include <graft/backend/cpu/int8_product.hpp>
#include <graft/backend/cpu/int8_quantize.hpp>
#include <graft/backend/cpu/int8_weights.hpp>
#include <graft/backend/cpu/workspace.hpp>
#include <graft/quant/decode.hpp>
#include <graft/quant/storage.hpp>

#include <algorithm>

namespace graft::detail {

/// Products with stored weights in int8. A panel of weight rows is decoded, quantised in blocks along the contraction and
/// packed, once for all tokens; the scales of a token's blocks are its own, so what it gets does not depend on who else is
/// in the batch. Backward contracts over the rows of w, so it packs anew in that direction.
inline constexpr Index int8_panel_elements = Index{1} << 21;  // 2.5 MiB packed

/// Rows of w that are packed at once, whole blocks and whole tiles of 3 strips.
[[nodiscard]] inline Index int8_panel_rows(StoredMatrix const& w) {
  constexpr Index unit = 96;
  return std::max(unit, int8_panel_elements / w.cols / unit * unit);
}

/// The scratch that `quantize_int8` takes for x.
[[nodiscard]] inline std::size_t int8_rows_bytes(In<float> x) {
  Index const blocks = x.rows * int8_blocks(x.cols);
  return scratch_bytes<std::uint8_t>(blocks * int8_block) + scratch_bytes<float>(blocks);
}

/// All of x in int8.
[[nodiscard]] inline Int8Rows quantize_int8(In<float> x, Scratch& scratch) {
  Index const blocks = int8_blocks(x.cols);
  auto* const q = scratch.take<std::uint8_t>(x.rows * blocks * int8_block);
  Int8Rows const rows{q, scratch.take<float>(x.rows * blocks), blocks};
  parallel_row_blocks(x.rows, x.cols, [&](Index begin, Index end) {
    for (Index t = begin; t < end; ++t) quantize_int8_row(x, t, rows);
  });
  return rows;
}

/// Multiplies rows of x from block `first` on by packed strips: one task a tile of y.
inline void int8_multiply(Int8Rows x, Index first, Int8Block const* strips, Index blocks, bool accumulate,
                          Out<float> y) {
  parallel_tiles(y.rows, y.cols, [&](Index row, Index row_end, Index col, Index col_end) {
    int8_product({x.bytes_of(row, first), x.scales_of(row, first), x.blocks}, strips + col / int8_lanes * blocks,
                 blocks, blocks, accumulate, y.rows_between(row, row_end).cols_between(col, col_end));
  });
}

/// y = x·wᵀ.
inline void int8_forward(Workspace& workspace, In<float> x, StoredMatrix const& w, Out<float> y) {
  Index const rows = std::min(int8_panel_rows(w), (w.rows + int8_lanes - 1) / int8_lanes * int8_lanes);
  Index const blocks = int8_blocks(w.cols), packed = rows / int8_lanes * blocks;
  Scratch shared = workspace.shared(scratch_bytes<Int8Block>(packed) + int8_rows_bytes(x));
  auto const per_thread = workspace.per_thread(scratch_bytes<float>(int8_lanes * w.cols));
  auto* const strips = shared.take<Int8Block>(packed);
  Int8Rows const operand = quantize_int8(x, shared);
  for (Index first = 0; first < w.rows; first += rows) {
    Index const end = std::min(w.rows, first + rows);
    parallel_blocks(end - first, int8_lanes, [&](Index from, Index to) {
      Out<float> const decoded(per_thread.mine().take<float>(int8_lanes * w.cols), to - from, w.cols);
      decode_rows(w, first + from, first + to, decoded);
      pack_int8_rows(decoded, strips + from / int8_lanes * blocks);
    });
    int8_multiply(operand, 0, strips, blocks, false, y.cols_between(first, end));
  }
}

/// dx += dy·w.
inline void int8_backward_input(Workspace& workspace, In<float> dy, StoredMatrix const& w, Out<float> dx) {
  Index const most_blocks = std::min(int8_panel_rows(w) / int8_block, int8_blocks(w.rows));
  Index const strips_of_panel = (w.cols + int8_lanes - 1) / int8_lanes;
  Scratch shared = workspace.shared(scratch_bytes<Int8Block>(strips_of_panel * most_blocks) + int8_rows_bytes(dy));
  auto const per_thread = workspace.per_thread(scratch_bytes<float>(int8_block * w.cols));
  auto* const strips = shared.take<Int8Block>(strips_of_panel * most_blocks);
  Int8Rows const operand = quantize_int8(dy, shared);
  for (Index first = 0; first < operand.blocks; first += most_blocks) {
    Index const blocks = std::min(most_blocks, operand.blocks - first);
    parallel_for(blocks, [&](Index b) {
      Index const row = (first + b) * int8_block, end = std::min(w.rows, row + int8_block);
      Out<float> const decoded(per_thread.mine().take<float>(int8_block * w.cols), end - row, w.cols);
      decode_rows(w, row, end, decoded);
      pack_int8_cols(decoded, strips + b, blocks);
    });
    int8_multiply(operand, first, strips, blocks, true, dx);
  }
}

}  // namespace graft::detail
