// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/low_rank_svd.hpp>

#include <graft/core/rng.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

std::vector<double> product(LowRank const& x) {
  std::vector<double> w(static_cast<std::size_t>(x.out * x.in));
  for (Index o = 0; o < x.out; ++o)
    for (Index r = 0; r < x.rank; ++r)
      for (Index i = 0; i < x.in; ++i) w[static_cast<std::size_t>(o * x.in + i)] += x.b_at(o, r) * x.a_at(r, i);
  return w;
}

double distance(std::vector<double> const& x, std::vector<double> const& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return std::sqrt(sum);
}

LowRank random(Index rank, Index in, Index out, std::uint64_t seed) {
  LowRank x = LowRank::zeros(rank, in, out);
  Rng rng(seed);
  for (double& value : x.a) value = rng.normal();
  for (double& value : x.b) value = rng.normal();
  return x;
}

}  // namespace

TEST_CASE("low rank svd: at its own rank the product is kept, with orthonormal rows and falling singular values") {
  for (auto const& [rank, in, out] : {std::array<Index, 3>{1, 5, 7}, {3, 9, 4}, {6, 6, 6}, {5, 3, 40}}) {
    LowRank const x = random(rank, in, out, 3);
    LowRank const svd = truncated_svd(x, rank);
    CHECK(distance(product(svd), product(x)) <= 1e-12);
    double last = 1e300;
    for (Index r = 0; r < std::min({rank, in, out}); ++r) {
      double norm = 0;
      for (Index o = 0; o < out; ++o) norm += svd.b_at(o, r) * svd.b_at(o, r);
      CHECK(norm <= last);
      last = norm;
      for (Index s = 0; s <= r; ++s) {
        double dot = 0;
        for (Index i = 0; i < in; ++i) dot += svd.a_at(r, i) * svd.a_at(s, i);
        CHECK(dot == doctest::Approx(r == s ? 1 : 0).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("low rank svd: what is cut off is the part of the smallest singular values") {
  // Diagonal: the singular values are 5, 3, 1.
  LowRank x = LowRank::zeros(3, 3, 3);
  for (Index i = 0; i < 3; ++i) x.a_at(i, i) = 1;
  x.b_at(0, 0) = 3;
  x.b_at(1, 1) = -5;
  x.b_at(2, 2) = 1;
  LowRank const cut = truncated_svd(x, 2);
  std::vector<double> const expected{3, 0, 0, 0, -5, 0, 0, 0, 0};
  CHECK(distance(product(cut), expected) <= 1e-14);
}

TEST_CASE("low rank svd: zero and repeated factors, and more rank than there is") {
  LowRank const nothing = LowRank::zeros(2, 4, 3);
  CHECK(product(truncated_svd(nothing, 4)) == std::vector<double>(12));
  LowRank twice = random(2, 4, 3, 5);
  for (Index i = 0; i < 4; ++i) twice.a_at(1, i) = twice.a_at(0, i);
  LowRank const svd = truncated_svd(twice, 5);
  CHECK(svd.rank == 5);
  CHECK(distance(product(svd), product(twice)) <= 1e-12);
}
