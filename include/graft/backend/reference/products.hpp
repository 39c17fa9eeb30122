// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/quant/decode.hpp>

#include <cassert>
#include <vector>

namespace graft::detail {

/// `MatmulBackend` by its formulas: one dot product per element, added up in double.
struct ReferenceProducts {
  template <Scalar T>
  void gemm(Op op_a, Op op_b, ValueArg<T> alpha, InArg<T> a, InArg<T> b, ValueArg<T> beta, Out<T> c) {
    Index const depth = op_a == Op::none ? a.cols : a.rows;
    assert((op_a == Op::none ? a.rows : a.cols) == c.rows && (op_b == Op::none ? b.cols : b.rows) == c.cols);
    assert((op_b == Op::none ? b.rows : b.cols) == depth);
    for (Index i = 0; i < c.rows; ++i)
      for (Index j = 0; j < c.cols; ++j) {
        double sum = 0;
        for (Index k = 0; k < depth; ++k)
          sum += static_cast<double>(op_a == Op::none ? a.row(i)[k] : a.row(k)[i]) *
                 static_cast<double>(op_b == Op::none ? b.row(k)[j] : b.row(j)[k]);
        double const old = beta == 0 ? 0 : static_cast<double>(beta) * static_cast<double>(c.row(i)[j]);
        c.row(i)[j] = static_cast<T>(static_cast<double>(alpha) * sum + old);
      }
  }

  template <Scalar T>
  void linear_forward(InArg<T> x, StoredMatrix w, Out<T> y) {
    std::vector<T> const dense = decoded<T>(w);
    gemm(Op::none, Op::transpose, T{1}, x, In<T>(dense.data(), w.rows, w.cols), T{0}, y);
  }

  template <Scalar T>
  void linear_backward_input(InArg<T> dy, StoredMatrix w, Out<T> dx) {
    std::vector<T> const dense = decoded<T>(w);
    gemm(Op::none, Op::none, T{1}, dy, In<T>(dense.data(), w.rows, w.cols), T{1}, dx);
  }

 private:
  template <Scalar T>
  static std::vector<T> decoded(StoredMatrix w) {
    std::vector<T> dense(static_cast<std::size_t>(w.size()));
    decode_rows(w, 0, w.rows, Out<T>(dense.data(), w.rows, w.cols));
    return dense;
  }
};

}  // namespace graft::detail
