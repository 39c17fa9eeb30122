// SPDX-License-Identifier: Apache-2.0

#include <graft/backend/eigen.hpp>

#include <Eigen/Core>

#include <algorithm>

namespace graft::detail {

/// A row-major matrix is the transpose of a column-major one: cᵀ = op(b)ᵀ·op(a)ᵀ, so Eigen's left factor is b.
/// Eigen's public product would start threads of its own outside a parallel region, and then cut the sums differently;
/// its kernel, called without thread information, does not. (The same entry that Eigen's BLAS uses.)
template <class T, int order_b, int order_a>
void eigen_product(Index m, Index n, Index k, T alpha, T const* a, Index lda, T const* b, Index ldb, T* c, Index ldc) {
  using namespace Eigen::internal;
  using Product = general_matrix_matrix_product<Eigen::Index, T, order_b, false, T, order_a, false, Eigen::ColMajor, 1>;
  gemm_blocking_space<Eigen::ColMajor, T, T, Eigen::Dynamic, Eigen::Dynamic, Eigen::Dynamic> blocking(n, m, k, 1, true);
  Product::run(n, m, k, b, ldb, a, lda, c, 1, ldc, alpha, blocking, nullptr);
}

/// One row of c: y = op(b)ᵀ·x.
template <class T, int order_b>
void eigen_vector_product(Index n, Index k, T alpha, T const* x, Index x_stride, T const* b, Index ldb, T* y) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, order_b>;
  using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  Eigen::Map<Matrix const, 0, Eigen::OuterStride<>> const matrix(b, n, k, Eigen::OuterStride<>(ldb));
  Eigen::Map<Vector const, 0, Eigen::InnerStride<>> const vector(x, k, Eigen::InnerStride<>(x_stride));
  Eigen::Map<Vector>(y, n).noalias() += alpha * matrix * vector;
}

template <class T>
void eigen_tile(Op op_a, Op op_b, Index m, Index n, Index k, T alpha, T const* a, Index lda, T const* b, Index ldb,
                T beta, T* c, Index ldc) {
  if (beta != T{1})
    for (Index i = 0; i < m; ++i) {
      T* const row = c + i * ldc;
      if (beta == T{0})
        std::fill_n(row, n, T{0});
      else
        for (Index j = 0; j < n; ++j) row[j] *= beta;
    }
  if (m == 0 || n == 0 || k == 0) return;
  bool const plain_a = op_a == Op::none, plain_b = op_b == Op::none;
  if (m == 1) {
    Index const x_stride = plain_a ? 1 : lda;
    if (plain_b)
      eigen_vector_product<T, Eigen::ColMajor>(n, k, alpha, a, x_stride, b, ldb, c);
    else
      eigen_vector_product<T, Eigen::RowMajor>(n, k, alpha, a, x_stride, b, ldb, c);
  } else if (plain_b) {
    if (plain_a)
      eigen_product<T, Eigen::ColMajor, Eigen::ColMajor>(m, n, k, alpha, a, lda, b, ldb, c, ldc);
    else
      eigen_product<T, Eigen::ColMajor, Eigen::RowMajor>(m, n, k, alpha, a, lda, b, ldb, c, ldc);
  } else {
    if (plain_a)
      eigen_product<T, Eigen::RowMajor, Eigen::ColMajor>(m, n, k, alpha, a, lda, b, ldb, c, ldc);
    else
      eigen_product<T, Eigen::RowMajor, Eigen::RowMajor>(m, n, k, alpha, a, lda, b, ldb, c, ldc);
  }
}

GRAFT_INLINE void eigen_tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, float alpha, float const* a, Index lda,
                                  float const* b, Index ldb, float beta, float* c, Index ldc) {
  eigen_tile(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
GRAFT_INLINE void eigen_tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, double alpha, double const* a, Index lda,
                                  double const* b, Index ldb, double beta, double* c, Index ldc) {
  eigen_tile(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

}  // namespace graft::detail
