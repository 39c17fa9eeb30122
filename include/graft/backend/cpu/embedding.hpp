// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/cpu/elementwise.hpp>
#include <graft/quant/decode.hpp>

#include <cstdint>

namespace graft::detail {

/// Rows of a table by token ids.
struct CpuEmbedding {
  template <Scalar T>
  void embedding_forward(std::int32_t const* ids, StoredMatrix table, ValueArg<T> scale, Out<T> x) {
    assert(table.cols == x.cols);
    parallel_row_blocks(x.rows, x.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        assert(0 <= ids[t] && ids[t] < table.rows);
        T* const row = x.row(t);
        decode_rows(table, ids[t], ids[t] + 1, x.rows_between(t, t + 1));
        GRAFT_SIMD
        for (Index c = 0; c < x.cols; ++c) row[c] *= scale;
      }
    });
  }

  template <Scalar T>
  void embedding_backward(std::int32_t const* ids, InArg<T> dx, ValueArg<T> scale, Out<T> dtable) {
    assert(dx.cols == dtable.cols);
    // Columns are split: a token may stand in many rows.
    parallel_blocks(dx.cols, 64, [&](Index begin, Index end) {
      for (Index t = 0; t < dx.rows; ++t) {
        assert(0 <= ids[t] && ids[t] < dtable.rows);
        T const* const from = dx.row(t);
        T* const to = dtable.row(ids[t]);
        GRAFT_SIMD
        for (Index c = begin; c < end; ++c) to[c] += scale * from[c];
      }
    });
  }
};

}  // namespace graft::detail
