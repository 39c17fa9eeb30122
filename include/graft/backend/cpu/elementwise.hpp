// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/map_elements.hpp>
#include <graft/backend/cpu/simd.hpp>
#include <graft/backend/cpu/workspace.hpp>
#include <graft/core/parallel.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace graft::detail {

/// Calls f(begin, end) for blocks of the rows of a matrix with `cols` columns, in parallel.
template <class F>
void parallel_row_blocks(Index rows, Index cols, F&& f) {
  parallel_blocks(rows, std::max<Index>(1, elements_per_task / std::max<Index>(1, cols)), f);
}

/// Copies, maps and sums.
template <class Derived>
struct CpuElementwise {
  template <class F, class... P>
  void map(Index n, F f, P*... p) {
    map_elements(n, f, p...);
  }

  template <Scalar T>
  void copy(InArg<T> x, Out<T> y) {
    assert(x.rows == y.rows && x.cols == y.cols);
    parallel_row_blocks(y.rows, y.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) std::copy_n(x.row(t), y.cols, y.row(t));
    });
  }

  template <Scalar T>
  void add_bias(InArg<T> bias, Out<T> y) {
    assert(bias.size() == y.cols);
    parallel_row_blocks(y.rows, y.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T* const row = y.row(t);
        GRAFT_SIMD
        for (Index c = 0; c < y.cols; ++c) row[c] += bias.data[c];
      }
    });
  }

  template <Scalar T>
  void sum_rows(InArg<T> dy, Out<T> bias) {
    assert(dy.cols == bias.size());
    constexpr Index width = 64;
    parallel_blocks(dy.cols, width, [&](Index begin, Index end) {
      double sum[width] = {};
      for (Index t = 0; t < dy.rows; ++t) {
        T const* const row = dy.row(t) + begin;
        GRAFT_SIMD
        for (Index c = 0; c < end - begin; ++c) sum[c] += static_cast<double>(row[c]);
      }
      for (Index c = begin; c < end; ++c) bias.data[c] += static_cast<T>(sum[c - begin]);
    });
  }

  template <Scalar T>
  void scale_rows(PointerArg<T> factor, Out<T> y) {
    parallel_row_blocks(y.rows, y.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T* const row = y.row(t);
        T const scale = factor[t];
        GRAFT_SIMD
        for (Index c = 0; c < y.cols; ++c) row[c] *= scale;
      }
    });
  }

  template <class T>
  [[nodiscard]] double sum_of_squares(MatrixView<T> x) {
    if (x.contiguous()) x = x.reshaped(1, x.size());  // one row, cut into blocks of columns
    Index const blocks = (x.cols + elements_per_task - 1) / elements_per_task;
    double* const partial = static_cast<Derived*>(this)->workspace()
                                .shared(scratch_bytes<double>(x.rows * blocks)).template take<double>(x.rows * blocks);
    parallel_for(x.rows * blocks, [&](Index task) {
      Index const begin = task % blocks * elements_per_task, end = std::min(x.cols, begin + elements_per_task);
      T* const row = x.row(task / blocks);
      double sum = 0;
      GRAFT_SIMD_SUM(sum)
      for (Index c = begin; c < end; ++c) sum += static_cast<double>(row[c]) * static_cast<double>(row[c]);
      partial[task] = sum;
    });
    double total = 0;
    for (Index task = 0; task < x.rows * blocks; ++task) total += partial[task];
    return total;
  }
};

}  // namespace graft::detail
