// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/leading_svd.hpp>

#include <graft/backend/eigen.hpp>
#include <graft/core/error.hpp>
#include <graft/core/rng.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>

namespace graft {

namespace detail {

GRAFT_INLINE std::vector<double> symmetric_eigenvectors(std::span<double> matrix, Index n) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic>;
  Eigen::Map<Matrix> map(matrix.data(), n, n);  // column-major: a column of eigenvectors is a row of ours
  Eigen::SelfAdjointEigenSolver<Matrix> const solver(map);
  require(solver.info() == Eigen::Success, "svd", "the eigenvectors of a matrix of ", n, " rows were not found: it has values that are not finite");
  map = solver.eigenvectors();
  return {solver.eigenvalues().data(), solver.eigenvalues().data() + n};
}

inline void check_rank(In<float> w, Index rank) {
  require(rank >= 1 && rank <= std::min(w.rows, w.cols), "svd", "rank must be in 1..min(out, in): got rank=", rank, " for a matrix of shape (",
          w.rows, ", ", w.cols, ")");
}

/// w in double, without gaps.
[[nodiscard]] inline std::vector<double> in_double(In<float> w) {
  std::vector<double> wide(static_cast<std::size_t>(w.rows * w.cols));
  for (Index r = 0; r < w.rows; ++r) std::copy_n(w.row(r), w.cols, wide.data() + r * w.cols);
  return wide;
}

/// x of `count` columns that are `rows` long ← an orthonormal basis of the same space; x is (rows, count), row-major.
inline void orthonormal_columns(std::vector<double>& x, Index rows, Index count) {
  Columns columns(static_cast<std::size_t>(count), std::vector<double>(static_cast<std::size_t>(rows)));
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < count; ++c) columns[static_cast<std::size_t>(c)][static_cast<std::size_t>(r)] = x[static_cast<std::size_t>(r * count + c)];
  (void)orthogonalise(columns);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < count; ++c) x[static_cast<std::size_t>(r * count + c)] = columns[static_cast<std::size_t>(c)][static_cast<std::size_t>(r)];
}

[[nodiscard]] inline LowRank exact_leading_svd(In<float> w, Index rank) {
  EigenBackend backend;
  auto const wide = in_double(w);
  In<double> const x(wide.data(), w.rows, w.cols);
  bool const flat = w.rows <= w.cols;
  Index const n = std::min(w.rows, w.cols);
  std::vector<double> gram(static_cast<std::size_t>(n * n));
  backend.gemm(flat ? Op::none : Op::transpose, flat ? Op::transpose : Op::none, 1.0, x, x, 0.0, Out<double>(gram.data(), n, n));
  auto const values = symmetric_eigenvectors(gram, n);
  LowRank result = LowRank::zeros(rank, w.cols, w.rows);
  std::vector<double> leading(static_cast<std::size_t>(rank * n));  // row r: the singular vector number r
  for (Index r = 0; r < rank; ++r) std::copy_n(gram.data() + (n - 1 - r) * n, n, leading.data() + r * n);
  In<double> const vectors(leading.data(), rank, n);
  if (flat) {  // Uᵀ: a = Uᵀ·w is Σ·Vᵀ
    backend.gemm(Op::none, Op::none, 1.0, vectors, x, 0.0, Out<double>(result.a.data(), rank, w.cols));
    for (Index r = 0; r < rank; ++r) {
      double const sigma = std::sqrt(std::max(values[static_cast<std::size_t>(n - 1 - r)], 0.0));
      for (Index i = 0; i < w.cols; ++i) result.a_at(r, i) = sigma > 0 ? result.a_at(r, i) / sigma : 0;
      for (Index o = 0; o < w.rows; ++o) result.b_at(o, r) = vectors.row(r)[o] * sigma;
    }
  } else {  // Vᵀ: b = w·V is U·Σ
    result.a = leading;
    backend.gemm(Op::none, Op::transpose, 1.0, x, vectors, 0.0, Out<double>(result.b.data(), w.rows, rank));
  }
  return result;
}

}  // namespace detail

GRAFT_INLINE LowRank leading_svd(In<float> w, Index rank, std::optional<Index> iterations, std::uint64_t seed) {
  detail::check_rank(w, rank);
  if (!iterations) return detail::exact_leading_svd(w, rank);
  EigenBackend backend;
  auto const wide = detail::in_double(w);
  In<double> const x(wide.data(), w.rows, w.cols);
  Index const count = std::min(rank + 8, std::min(w.rows, w.cols));
  std::vector<double> right(static_cast<std::size_t>(w.cols * count)), left(static_cast<std::size_t>(w.rows * count));
  Rng rng(seed, 0);
  for (double& value : right) value = rng.uniform(-1, 1);
  Out<double> const to_right(right.data(), w.cols, count), to_left(left.data(), w.rows, count);
  for (Index i = 0; i <= *iterations; ++i) {
    if (i > 0) {
      backend.gemm(Op::transpose, Op::none, 1.0, x, In<double>(to_left), 0.0, to_right);
      detail::orthonormal_columns(right, w.cols, count);
    }
    backend.gemm(Op::none, Op::none, 1.0, x, In<double>(to_right), 0.0, to_left);
    detail::orthonormal_columns(left, w.rows, count);
  }
  LowRank whole{count, w.cols, w.rows, std::vector<double>(static_cast<std::size_t>(count * w.cols)), std::move(left)};
  backend.gemm(Op::transpose, Op::none, 1.0, In<double>(whole.b.data(), w.rows, count), x, 0.0, Out<double>(whole.a.data(), count, w.cols));
  return truncated_svd(whole, rank);
}

GRAFT_INLINE LowRank leading_qr(In<float> w, Index rank) {
  detail::check_rank(w, rank);
  EigenBackend backend;
  auto const wide = detail::in_double(w);
  LowRank result = LowRank::zeros(rank, w.cols, w.rows);
  for (Index o = 0; o < w.rows; ++o) std::copy_n(wide.data() + o * w.cols, rank, result.b.data() + o * rank);
  detail::orthonormal_columns(result.b, w.rows, rank);
  backend.gemm(Op::transpose, Op::none, 1.0, In<double>(result.b.data(), w.rows, rank), In<double>(wide.data(), w.rows, w.cols), 0.0,
               Out<double>(result.a.data(), rank, w.cols));
  return result;
}

GRAFT_INLINE void subtract_low_rank(In<float> w, LowRank const& product, Out<float> rest) {
  EigenBackend backend;
  auto wide = detail::in_double(w);
  backend.gemm(Op::none, Op::none, -1.0, In<double>(product.b.data(), product.out, product.rank), In<double>(product.a.data(), product.rank, product.in),
               1.0, Out<double>(wide.data(), w.rows, w.cols));
  for (Index r = 0; r < w.rows; ++r)
    for (Index c = 0; c < w.cols; ++c) rest.row(r)[c] = static_cast<float>(wide[static_cast<std::size_t>(r * w.cols + c)]);
}

}  // namespace graft
