// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/any_optimizer.hpp>

#include <doctest/doctest.h>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/lion.hpp>
#include <support/optimizer_check.hpp>

#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

ToyParams<double> one_weight() {
  ToyParams<double> params;
  params.add("w", 2, 1, {1, -2});
  return params;
}

using Any = AnyOptimizer<double, Reference>;

}  // namespace

TEST_CASE("any optimizer: steps to the same bits as the one it holds, whichever that is") {
  auto plain = one_weight();
  auto held = one_weight();
  auto adamw = bind(AdamW{}, plain.trainable());
  auto any = std::vector<Any>();
  any.emplace_back(AdamW{}, held.trainable());
  for (int step = 0; step < 3; ++step) {
    plain.set_grad(0, {0.5, -0.25 * step});
    held.set_grad(0, {0.5, -0.25 * step});
    adamw.step(0.1);
    any.front().step(0.1);
  }
  CHECK(held.value(0) == plain.value(0));
  CHECK(any.front().steps() == 3);
  any.front() = Any(Lion{}, held.trainable());
  CHECK(any.front().steps() == 0);
  REQUIRE(any.front().tensors().size() == 1);
  CHECK(any.front().tensors()[0].name == "w.exp_avg");
}

TEST_CASE("any optimizer: its state can be restored and its gradients cleared") {
  auto params = one_weight();
  Any any(AdamW{}, params.trainable());
  params.set_grad(0, {1, 1});
  any.zero_grad();
  any.set_steps(7);
  CHECK(any.steps() == 7);
  CHECK(any.trainable().params[0].grad.row(0)[0] == 0);
}
