// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/leading_svd.hpp>

#include <graft/core/parallel.hpp>
#include <graft/core/rng.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace graft::test {

namespace {

/// Σ_k σ_k·u_k·v_kᵀ with orthonormal u and v: its singular values are known.
struct Known {
  Index out, in;
  std::vector<double> sigma;
  std::vector<float> values;

  Known(Index rows, Index cols, std::vector<double> singular) : out(rows), in(cols), sigma(std::move(singular)), values(static_cast<std::size_t>(rows * cols)) {
    Rng rng(5);
    auto const basis = [&](Index n) {
      detail::Columns columns(sigma.size(), std::vector<double>(static_cast<std::size_t>(n)));
      for (auto& column : columns)
        for (double& x : column) x = rng.uniform(-1, 1);
      (void)detail::orthogonalise(columns);
      return columns;
    };
    auto const u = basis(out), v = basis(in);
    for (Index o = 0; o < out; ++o)
      for (Index i = 0; i < in; ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < sigma.size(); ++k) sum += sigma[k] * u[k][static_cast<std::size_t>(o)] * v[k][static_cast<std::size_t>(i)];
        values[static_cast<std::size_t>(o * in + i)] = static_cast<float>(sum);
      }
  }
  [[nodiscard]] In<float> view() const { return {values.data(), out, in}; }
};

/// ‖w - b·a‖ (Frobenius).
double distance(In<float> w, LowRank const& product) {
  std::vector<float> rest(static_cast<std::size_t>(w.rows * w.cols));
  subtract_low_rank(w, product, Out<float>(rest.data(), w.rows, w.cols));
  double squares = 0;
  for (float const x : rest) squares += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(squares);
}

double length_of_column(LowRank const& svd, Index r) {
  double squares = 0;
  for (Index o = 0; o < svd.out; ++o) squares += svd.b_at(o, r) * svd.b_at(o, r);
  return std::sqrt(squares);
}

}  // namespace

TEST_CASE("leading svd: singular values, orthonormal rows, the least distance, for tall, wide and square matrices") {
  std::vector<double> const sigma{9, 7, 4, 2, 1, 0.5, 0.25};
  for (auto const& [out, in] : {std::pair<Index, Index>{40, 23}, {23, 40}, {30, 30}}) {
    Known const w(out, in, sigma);
    for (std::optional<Index> const iterations : {std::optional<Index>{}, std::optional<Index>{6}}) {
      auto const svd = leading_svd(w.view(), 3, iterations, 1);
      for (Index r = 0; r < 3; ++r) {
        CHECK(std::abs(length_of_column(svd, r) - sigma[static_cast<std::size_t>(r)]) < 1e-5);
        for (Index other = 0; other < 3; ++other) {
          double dot = 0;
          for (Index i = 0; i < in; ++i) dot += svd.a_at(r, i) * svd.a_at(other, i);
          CHECK(std::abs(dot - (r == other ? 1 : 0)) < 1e-9);
        }
      }
      double const least = std::sqrt(4 + 1 + 0.25 + 0.0625);  // of what is left: 2, 1, 0.5, 0.25
      CHECK(std::abs(distance(w.view(), svd) - least) < 1e-5);
    }
  }
}

TEST_CASE("leading svd: of the full rank it is the matrix; zeros stay zeros; one thread makes the bits of three") {
  Rng rng(6);
  std::vector<float> values(19 * 11);
  for (float& x : values) x = static_cast<float>(rng.uniform(-1, 1));
  In<float> const w(values.data(), 19, 11);
  CHECK(distance(w, leading_svd(w, 11)) < 1e-5);
  CHECK(distance(w, leading_svd(w, 11, 2)) < 1e-5);
  CHECK(distance(w, leading_qr(w, 11)) < 1e-5);
  std::vector<float> const zeros(12 * 9);
  for (auto const& svd : {leading_svd(In<float>(zeros.data(), 12, 9), 2), leading_svd(In<float>(zeros.data(), 12, 9), 2, 3)})
    CHECK(distance(In<float>(zeros.data(), 12, 9), svd) == 0);
  Known const large(300, 200, {5, 4, 3, 2, 1});
  int const before = num_threads();
  set_num_threads(1);
  auto const one = leading_svd(large.view(), 4, 3);
  set_num_threads(3);
  auto const three = leading_svd(large.view(), 4, 3);
  set_num_threads(before);
  CHECK(one.a == three.a);
  CHECK(one.b == three.b);
}

TEST_CASE("leading qr: orthonormal columns that span the first columns of the matrix") {
  Known const w(20, 12, {3, 2, 1, 0.5});
  auto const qr = leading_qr(w.view(), 2);
  for (Index r = 0; r < 2; ++r) CHECK(std::abs(length_of_column(qr, r) - 1) < 1e-12);
  for (Index o = 0; o < 20; ++o)
    for (Index i = 0; i < 2; ++i) {
      double const product = qr.b_at(o, 0) * qr.a_at(0, i) + qr.b_at(o, 1) * qr.a_at(1, i);
      CHECK(std::abs(product - static_cast<double>(w.view().row(o)[i])) < 1e-6);
    }
}

TEST_CASE("leading svd: a rank that the matrix has not, and values that are not finite, are refused") {
  std::vector<float> values(6, 1.0f);
  In<float> const w(values.data(), 2, 3);
  for (Index const rank : {0, 3}) {
    CHECK(message_of([&] { (void)leading_svd(w, rank); }).find("rank must be in 1..min(out, in): got rank=") != std::string::npos);
    CHECK(message_of([&] { (void)leading_qr(w, rank); }).find("(2, 3)") != std::string::npos);
  }
  values[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK(message_of([&] { (void)leading_svd(w, 1); }).find("not finite") != std::string::npos);
}

}  // namespace graft::test
