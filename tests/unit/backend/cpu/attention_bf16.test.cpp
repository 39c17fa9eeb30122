// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cpu/attention_bf16.hpp>

#include "support/agreement/attention.hpp"

#include <graft/backend/eigen.hpp>

#include <cmath>

namespace graft::test {

TEST_CASE("bf16 attention: every shape, shared prefixes and windows, one to three threads to the bit, gaps untouched") {
  EigenBackend backend({.precision = Precision::bf16});
  attention_agrees<float>(backend, {.float_tolerance = 1e-2});  // of wild scores: e^s magnifies what rounding q and k does to s
  attention_agrees<double>(backend);                            // never rounded
}

#if GRAFT_HAS_BF16_LANES

namespace {

/// √(Σ(a - b)² / Σ b²)
double relative_error(HostMatrix<float> const& a, HostMatrix<float> const& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.values.size(); ++i) {
    difference += std::pow(static_cast<double>(a.values[i]) - static_cast<double>(b.values[i]), 2);
    size += std::pow(static_cast<double>(b.values[i]), 2);
  }
  return std::sqrt(difference / size);
}

Out<float> view(HostMatrix<float>& m) { return {m.values.data(), m.rows, m.cols, m.stride}; }
In<float> view(HostMatrix<float> const& m) { return {m.values.data(), m.rows, m.cols, m.stride}; }

}  // namespace

TEST_CASE("bf16 attention: output and gradients of unit scores are off by the rounding of bf16, and no more") {
  Rng rng(31);
  for (Index const dim : {32, 64, 96}) {
    AttentionShape const shape{6, 2, dim, 1 / std::sqrt(static_cast<double>(dim)), 0};
    std::vector<std::int32_t> const cu{0, 301, 432};
    auto const random = [&](Index heads) { return HostMatrix<float>::random(432, heads * dim, rng); };
    auto const q = random(6), k = random(2), v = random(2), d_o = random(6);
    struct Results {
      HostMatrix<float> o, lse, dq, dk, dv;
    };
    auto const results = [&](Precision precision) {
      EigenBackend backend({.precision = precision});
      Results r{q, HostMatrix<float>::filled(432, 6, 0.0f), q, k, v};
      backend.attention_forward(view(q), view(k), view(v), shape, PackedSequences(cu), view(r.o), view(r.lse));
      auto const& made = r;
      backend.attention_backward(view(q), view(k), view(v), view(made.o), view(made.lse), view(d_o), shape,
                                 PackedSequences(cu), view(r.dq), view(r.dk), view(r.dv));
      return r;
    };
    auto const exact = results(Precision::f32), rounded = results(Precision::bf16);
    for (auto const part : {&Results::o, &Results::lse, &Results::dq, &Results::dk, &Results::dv}) {
      double const error = relative_error(rounded.*part, exact.*part);
      CHECK(error < 6e-3);
      CHECK(error > 1e-7);
    }
    CHECK(results(Precision::int8).dq.values == rounded.dq.values);
  }
}

TEST_CASE("bf16 products: small integers are exact, for every packing and size") {
  Rng rng(32);
  for (Index const rows : {1, 2, 7, 16, 33})
    for (Index const depth : {32, 64})
      for (Index const cols : {16, 48, 64, 80}) {
        auto const integers = [&](Index r, Index c) {
          auto m = HostMatrix<float>::random(r, c, rng, 8);
          for (float& x : m.values) x = std::round(x);
          return m;
        };
        auto const a = integers(rows, depth), b = integers(depth, cols), start = integers(rows, cols);
        auto b_transposed = HostMatrix<float>::filled(cols, depth, 0.0f), a_transposed = HostMatrix<float>::filled(depth, 48, 0.0f);
        auto expected = start;
        for (Index i = 0; i < rows; ++i)
          for (Index j = 0; j < cols; ++j)
            for (Index d = 0; d < depth; ++d) {
              float const x = a.values[static_cast<std::size_t>(i * a.stride + d)];
              float const y = b.values[static_cast<std::size_t>(d * b.stride + j)];
              expected.values[static_cast<std::size_t>(i * expected.stride + j)] += x * y;
              b_transposed.values[static_cast<std::size_t>(j * b_transposed.stride + d)] = y;
              a_transposed.values[static_cast<std::size_t>(d * a_transposed.stride + i)] = x;
            }
        Index const pairs = depth / 2;
        std::vector<detail::Bf16Pair> left(static_cast<std::size_t>(rows * pairs)), by_rows(static_cast<std::size_t>(pairs * cols)),
            by_columns(by_rows.size()), left_rows(static_cast<std::size_t>(pairs * 48));
        detail::pair_columns(a.values.data(), a.stride, rows, depth, 1.0f, left.data(), pairs);
        detail::pair_rows(a_transposed.values.data(), a_transposed.stride, depth, 48, left_rows.data(), 48);
        detail::pair_rows(b.values.data(), b.stride, depth, cols, by_rows.data(), cols);
        detail::pair_columns_transposed(b_transposed.values.data(), b_transposed.stride, cols, depth, by_columns.data(), cols);
        CHECK(by_rows == by_columns);
        for (auto const& rows_of_a : {detail::Bf16Rows{left.data(), pairs, 1}, detail::Bf16Rows{left_rows.data(), 1, 48}}) {
          auto c = start;
          detail::bf16_product(rows_of_a, rows, by_rows.data(), cols, cols, pairs, true, c.values.data(), c.stride);
          CHECK(c.values == expected.values);
        }
      }
}

#endif

}  // namespace graft::test
