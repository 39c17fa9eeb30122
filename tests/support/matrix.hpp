// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/core/view.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace graft::test {

/// A matrix of doubles on the host, for formulas written out in full.
struct Matrix {
  Index rows = 0;
  Index cols = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(Index rows_, Index cols_, double value = 0)
      : rows(rows_), cols(cols_), values(static_cast<std::size_t>(rows_ * cols_), value) {}
  static Matrix random(Index rows, Index cols, Rng& rng, double scale = 1, double centre = 0) {
    Matrix matrix(rows, cols);
    for (double& value : matrix.values) value = centre + scale * rng.normal();
    return matrix;
  }
  /// A copy of what stands in host memory.
  static Matrix copy(In<double> view) {
    Matrix matrix(view.rows, view.cols);
    for (Index r = 0; r < view.rows; ++r) std::copy_n(view.row(r), view.cols, &matrix(r, 0));
    return matrix;
  }

  double& operator()(Index r, Index c) { return values[static_cast<std::size_t>(r * cols + c)]; }
  double operator()(Index r, Index c) const { return values[static_cast<std::size_t>(r * cols + c)]; }
  [[nodiscard]] Out<double> view() { return {values.data(), rows, cols}; }
  [[nodiscard]] In<double> view() const { return {values.data(), rows, cols}; }
  friend bool operator==(Matrix const&, Matrix const&) = default;
};

/// The largest |a - b|; infinity where the shapes differ or one is NaN.
[[nodiscard]] inline double distance(In<double> a, In<double> b) {
  if (a.rows != b.rows || a.cols != b.cols) return HUGE_VAL;
  double largest = 0;
  for (Index r = 0; r < a.rows; ++r)
    for (Index c = 0; c < a.cols; ++c) {
      double const difference = std::abs(a.row(r)[c] - b.row(r)[c]);
      if (!(difference <= largest)) largest = std::isnan(difference) ? HUGE_VAL : difference;
    }
  return largest;
}
[[nodiscard]] inline double distance(Matrix const& a, Matrix const& b) { return distance(a.view(), b.view()); }

/// a + factor·b.
[[nodiscard]] inline Matrix sum(Matrix const& a, Matrix const& b, double factor = 1) {
  Matrix result = a;
  for (std::size_t i = 0; i < result.values.size(); ++i) result.values[i] += factor * b.values[i];
  return result;
}

}  // namespace graft::test
