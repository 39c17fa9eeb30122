// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/lion.hpp>

#include <doctest/doctest.h>
#include <graft/optim/bind.hpp>
#include <support/message_of.hpp>
#include <support/optimizer_check.hpp>

using namespace graft;
using namespace graft::test;

static_assert(Optimizer<Lion, float, Reference>);

TEST_CASE("lion: a step has the size of the rate, the sign of the interpolated momentum, and 0 where that is 0") {
  ToyParams<double> params;
  params.add("w", 3, 1, {1, 1, 1});
  auto optimizer = bind(Lion{}, params.trainable());
  params.set_grad(0, {3, -1e-9, 0});
  optimizer.step(0.25);
  CHECK(params.value(0) == std::vector<double>{0.75, 1.25, 1});
}

TEST_CASE("lion: the momentum outvotes a small opposite gradient and decays by beta2") {
  ToyParams<double> params;
  params.add("w", 1, 1, {0});
  auto optimizer = bind(Lion{.beta1 = 0.9, .beta2 = 0.5}, params.trainable());
  params.set_grad(0, {1});
  optimizer.step(1);  // m = 0.5
  params.set_grad(0, {-4});
  optimizer.step(1);  // 0.9·0.5 - 0.4 > 0: down again; m = 0.25 - 2 = -1.75
  CHECK(params.value(0)[0] == -2);
  CHECK(params.read(optimizer.tensors()[0].value)[0] == doctest::Approx(-1.75).epsilon(1e-15));
  params.set_grad(0, {15});
  optimizer.step(1);  // -1.575 + 1.5 < 0: up
  CHECK(params.value(0)[0] == -1);
}

TEST_CASE("lion: decay is decoupled and spares what takes none") {
  ToyParams<double> params;
  params.add("w", 2, 1, {2, 2});
  params.add("b", 1, 1, {2});
  auto optimizer = bind(Lion{.weight_decay = 0.5}, params.trainable());
  optimizer.step(0.1);
  CHECK(params.value(0)[0] == doctest::Approx(2 * 0.95).epsilon(1e-15));
  CHECK(params.value(1)[0] == 2);
}

TEST_CASE("lion: resumes to the bit and refuses rates outside [0, 1)") {
  for (int const cut : {0, 4}) CHECK(resumes_to_the_bit(Lion{.weight_decay = 0.1}, cut, 8));
  ToyParams<float> params;
  params.add("w", 1, 1, {1});
  CHECK(message_of([&] { (void)bind(Lion{.beta2 = 1}, params.trainable()); }) ==
        "[lion] beta2 must be in [0, 1): got 1");
}
