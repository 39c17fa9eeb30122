// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/elementwise.hpp>

#include <graft/backend/reference.hpp>

#include <support/matrix.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

TEST_CASE("elementwise: add adds in place, set_zero clears, neither touches a neighbour") {
  Reference backend;
  Rng rng(1);
  Matrix const x = Matrix::random(3, 4, rng);
  Matrix y = Matrix::random(5, 4, rng), const_y = y;
  add(backend, x.view(), y.view().rows_between(1, 4));
  for (Index r = 0; r < 5; ++r)
    for (Index c = 0; c < 4; ++c) CHECK(y(r, c) == const_y(r, c) + (r >= 1 && r < 4 ? x(r - 1, c) : 0));
  set_zero(backend, y.view().rows_between(0, 2));
  for (Index c = 0; c < 4; ++c) {
    CHECK(y(0, c) == 0);
    CHECK(y(1, c) == 0);
    CHECK(y(2, c) == const_y(2, c) + x(1, c));
  }
  add(backend, In<double>(), Out<double>());
  set_zero(backend, Out<double>());
}
