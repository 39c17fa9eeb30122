// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/traced.hpp>

#include <graft/backend/reference.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

using namespace graft;

static_assert(Backend<Traced<Reference>, float> && Backend<Traced<Reference>, double>);
static_assert(Backend<Traced<Dry>, float>);

namespace {

struct Numbers {
  std::vector<double> values;
  Index rows, cols;
  Numbers(Index rows_, Index cols_) : values(static_cast<std::size_t>(rows_ * cols_)), rows(rows_), cols(cols_) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.25 * static_cast<double>(i % 7) - 0.5;
  }
  operator Out<double>() { return {values.data(), rows, cols}; }
};

}  // namespace

TEST_CASE("traced: the results are the wrapped backend's") {
  Traced<Reference> traced;
  Reference plain;
  Numbers a(3, 5), b(7, 5), c(3, 7), expected(3, 7);
  traced.gemm(Op::none, Op::transpose, 2.0, Out<double>(a), Out<double>(b), 1.0, Out<double>(c));
  plain.gemm(Op::none, Op::transpose, 2.0, Out<double>(a), Out<double>(b), 1.0, Out<double>(expected));
  CHECK(c.values == expected.values);
  CHECK(traced.sum_of_squares(In<double>(Out<double>(a))) == plain.sum_of_squares(In<double>(Out<double>(a))));
  CHECK(traced.sum_of_squares(In<double>(Out<double>(a))) > 0);
}

TEST_CASE("traced: calls of one shape add up, those of another stand apart") {
  Traced<Reference> traced;
  Numbers a(3, 5), b(7, 5), c(3, 7), square(5, 5);
  for (int i = 0; i < 3; ++i)
    traced.gemm(Op::none, Op::transpose, 1.0, Out<double>(a), Out<double>(b), 0.0, Out<double>(c));
  traced.gemm(Op::transpose, Op::none, 1.0, Out<double>(a), Out<double>(a), 0.0, Out<double>(square));
  auto const operations = traced.operations();
  REQUIRE(operations.size() == 2);
  CHECK(operations[0].name == "gemm");
  CHECK(operations[0].calls == 3);
  CHECK(operations[0].inner == 5);
  CHECK(operations[0].flops == 3 * 2.0 * 3 * 7 * 5);
  CHECK(operations[0].bytes == 3 * 8.0 * (3 * 5 + 7 * 5 + 3 * 7));
  CHECK(operations[0].seconds > 0);
  CHECK(operations[1].rows == 5);
  CHECK(operations[1].inner == 3);
  CHECK(operations[1].flops == 2.0 * 5 * 5 * 3);
  traced.reset();
  CHECK(traced.operations().empty());
}

TEST_CASE("traced: weights count as the bytes that they are stored in") {
  Traced<Dry> traced;
  StoredMatrix const w{Storage::q8_0, nullptr, 4, 64};
  traced.linear_forward(Out<float>(nullptr, 3, 64), w, Out<float>(nullptr, 3, 4));
  auto const operation = traced.operations().at(0);
  CHECK(operation.bytes == 4.0 * (3 * 64 + 3 * 4) + 4 * 2 * 34);
  CHECK(operation.flops == 2.0 * 3 * 64 * 4);
}

TEST_CASE("traced: attention counts the pairs that Dry counts, backward five products of them") {
  Traced<Dry> traced;
  std::vector<std::int32_t> const cu{0, 2, 5};
  AttentionShape const shape{2, 1, 4, 1, 0};
  Out<float> const q(nullptr, 5, 8), k(nullptr, 5, 4), lse(nullptr, 5, 2);
  traced.attention_forward(q, k, k, shape, cu, q, lse);
  traced.attention_backward(q, k, k, q, lse, q, shape, cu, q, k, k);
  auto const operations = traced.operations();
  REQUIRE(operations.size() == 2);
  double const pairs = 3 + 6;
  CHECK(operations[0].name == "attention_backward");
  CHECK(operations[0].flops == 5 * 2 * pairs * 8);
  CHECK(operations[1].flops == 2 * 2 * pairs * 8);
  CHECK(operations[1].inner == 2);
}
