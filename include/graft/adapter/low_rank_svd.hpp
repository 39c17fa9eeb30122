// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace graft {

/// A matrix B·A of low rank by its factors, row-major: a (rank, in), b (out, rank).
struct LowRank {
  Index rank = 0, in = 0, out = 0;
  std::vector<double> a, b;

  [[nodiscard]] double& a_at(Index r, Index i) { return a[static_cast<std::size_t>(r * in + i)]; }
  [[nodiscard]] double a_at(Index r, Index i) const { return a[static_cast<std::size_t>(r * in + i)]; }
  [[nodiscard]] double& b_at(Index o, Index r) { return b[static_cast<std::size_t>(o * rank + r)]; }
  [[nodiscard]] double b_at(Index o, Index r) const { return b[static_cast<std::size_t>(o * rank + r)]; }
  [[nodiscard]] static LowRank zeros(Index rank, Index in, Index out) {
    return {rank, in, out, std::vector<double>(static_cast<std::size_t>(rank * in)), std::vector<double>(static_cast<std::size_t>(out * rank))};
  }
};

namespace detail {

/// Columns of doubles.
using Columns = std::vector<std::vector<double>>;

[[nodiscard]] inline double dot(std::vector<double> const& x, std::vector<double> const& y) {
  return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

/// x ← Q with orthonormal columns (a column that depends on those before becomes zero); returns R, x = Q·R, R[j][i] in column j.
/// Gram–Schmidt, twice, which is orthogonal to rounding.
[[nodiscard]] inline Columns orthogonalise(Columns& x) {
  Columns r(x.size(), std::vector<double>(x.size()));
  for (std::size_t j = 0; j < x.size(); ++j) {
    double const before = std::sqrt(dot(x[j], x[j]));
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t i = 0; i < j; ++i) {
        double const along = dot(x[i], x[j]);
        r[j][i] += along;
        for (std::size_t k = 0; k < x[j].size(); ++k) x[j][k] -= along * x[i][k];
      }
    double const length = std::sqrt(dot(x[j], x[j]));
    bool const dependent = length <= 1e-13 * before;
    r[j][j] = dependent ? 0 : length;
    for (double& value : x[j]) value = dependent ? 0 : value / length;
  }
  return r;
}

/// One-sided Jacobi: turns pairs of columns of m, and of v with them, until all are orthogonal. Then m = U·Σ and v = V of the
/// singular value decomposition U·Σ·Vᵀ of what m was, if v was the identity.
/// Source: Golub and Van Loan, "Matrix computations", section 8.6.3.
inline void jacobi_svd(Columns& m, Columns& v) {
  auto const turn = [](std::vector<double>& x, std::vector<double>& y, double c, double s) {
    for (std::size_t k = 0; k < x.size(); ++k) {
      double const old = x[k];
      x[k] = c * old - s * y[k];
      y[k] = s * old + c * y[k];
    }
  };
  bool turned = true;
  for (int sweep = 0; sweep < 60 && turned; ++sweep) {
    turned = false;
    for (std::size_t p = 0; p < m.size(); ++p)
      for (std::size_t q = p + 1; q < m.size(); ++q) {
        double const pp = dot(m[p], m[p]), qq = dot(m[q], m[q]), pq = dot(m[p], m[q]);
        if (std::abs(pq) <= 1e-15 * std::sqrt(pp * qq)) continue;
        turned = true;
        double const zeta = (qq - pp) / (2 * pq);
        double const t = (zeta >= 0 ? 1 : -1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        double const c = 1 / std::sqrt(1 + t * t);
        turn(m[p], m[q], c, c * t);
        turn(v[p], v[q], c, c * t);
      }
  }
}

}  // namespace detail

/// The best approximation of B·A of rank `rank`: its truncated singular value decomposition U·Σ·Vᵀ, with b = U·Σ and a = Vᵀ, the
/// largest singular value first. Rows and columns beyond the rank that B·A has are zero. Never forms the (out, in) matrix:
/// B = Q₁R₁ and Aᵀ = Q₂R₂ leave the decomposition of R₁R₂ᵀ, of the size of the rank.
[[nodiscard]] inline LowRank truncated_svd(LowRank const& product, Index rank) {
  auto const n = static_cast<std::size_t>(product.rank);
  detail::Columns left(n, std::vector<double>(static_cast<std::size_t>(product.out)));
  detail::Columns right(n, std::vector<double>(static_cast<std::size_t>(product.in)));
  for (std::size_t r = 0; r < n; ++r) {
    for (Index o = 0; o < product.out; ++o) left[r][static_cast<std::size_t>(o)] = product.b_at(o, static_cast<Index>(r));
    for (Index i = 0; i < product.in; ++i) right[r][static_cast<std::size_t>(i)] = product.a_at(static_cast<Index>(r), i);
  }
  auto const r1 = detail::orthogonalise(left), r2 = detail::orthogonalise(right);
  detail::Columns core(n, std::vector<double>(n)), v(n, std::vector<double>(n));  // column j of R₁·R₂ᵀ
  for (std::size_t j = 0; j < n; ++j) {
    v[j][j] = 1;
    for (std::size_t k = j; k < n; ++k)  // R₂[j, k] stands in column k
      for (std::size_t i = 0; i <= k; ++i) core[j][i] += r1[k][i] * r2[k][j];
  }
  detail::jacobi_svd(core, v);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto x, auto y) { return detail::dot(core[x], core[x]) > detail::dot(core[y], core[y]); });
  LowRank result = LowRank::zeros(rank, product.in, product.out);
  for (std::size_t r = 0; r < std::min(n, static_cast<std::size_t>(rank)); ++r) {
    std::size_t const from = order[r];
    auto const row = static_cast<Index>(r);
    for (std::size_t k = 0; k < n; ++k) {
      for (Index o = 0; o < product.out; ++o) result.b_at(o, row) += left[k][static_cast<std::size_t>(o)] * core[from][k];
      for (Index i = 0; i < product.in; ++i) result.a_at(row, i) += right[k][static_cast<std::size_t>(i)] * v[from][k];
    }
  }
  return result;
}

}  // namespace graft
