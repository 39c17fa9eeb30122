// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/trainable.hpp>

#include <support/toy_params.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("trainable: counts elements and clears gradients, not values") {
  test::ToyParams<double> params;
  params.add("w", 2, 3, {1, 2, 3, 4, 5, 6});
  params.add("b", 1, 4, {7, 8, 9, 10});
  params.set_grad(0, {1, 1, 1, 1, 1, 1});
  params.set_grad(1, {2, 2, 2, 2});
  CHECK(params.trainable().elements() == 10);
  params.trainable().zero_grad();
  CHECK(params.grad(0) == std::vector<double>(6, 0));
  CHECK(params.grad(1) == std::vector<double>(4, 0));
  CHECK(params.value(1) == std::vector<double>{7, 8, 9, 10});
  Trainable<double, Reference> const none;
  CHECK(none.elements() == 0);
  none.zero_grad();
}
