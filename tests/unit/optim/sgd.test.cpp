// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/sgd.hpp>

#include <doctest/doctest.h>
#include <graft/optim/bind.hpp>
#include <support/message_of.hpp>
#include <support/optimizer_check.hpp>

using namespace graft;
using namespace graft::test;

static_assert(Optimizer<Sgd, float, Reference>);

namespace graft::test {

/// Three steps of lr = 0.1 from p = 1 with gradients 1, 2, -1.
inline double three_steps(Sgd const& spec) {
  ToyParams<double> params;
  params.add("w", 2, 1, {1, 1});
  auto optimizer = bind(spec, params.trainable());
  for (double const g : {1.0, 2.0, -1.0}) {
    params.set_grad(0, {g, g});
    optimizer.step(0.1);
  }
  CHECK(params.value(0)[0] == params.value(0)[1]);
  return params.value(0)[0];
}

}  // namespace graft::test

TEST_CASE("sgd: plain steps subtract rate times gradient and decay is coupled") {
  CHECK(three_steps({}) == doctest::Approx(1 - 0.1 * (1 + 2 - 1)).epsilon(1e-14));
  // p: 1 → 1-0.1(1+0.5) = 0.85 → 0.85-0.1(2+0.425) = 0.6075 → 0.6075-0.1(-1+0.30375) = 0.677125
  CHECK(three_steps({.weight_decay = 0.5}) == doctest::Approx(0.677125).epsilon(1e-14));
}

TEST_CASE("sgd: momentum, dampening and nesterov follow the buffer that starts as the first gradient") {
  // buffer: 1, 0.9+2 = 2.9, 2.61-1 = 1.61; p = 1 - 0.1·(1 + 2.9 + 1.61)
  CHECK(three_steps({.momentum = 0.9}) == doctest::Approx(0.449).epsilon(1e-14));
  // dampening 0.5 spares the first: buffer 1, 0.9+1 = 1.9, 1.71-0.5 = 1.21; p = 1 - 0.1·4.11
  CHECK(three_steps({.momentum = 0.9, .dampening = 0.5}) == doctest::Approx(0.589).epsilon(1e-14));
  // g + 0.9·buffer: 1.9, 4.61, 0.449; p = 1 - 0.1·6.959
  CHECK(three_steps({.momentum = 0.9, .nesterov = true}) == doctest::Approx(0.3041).epsilon(1e-14));
}

TEST_CASE("sgd: without momentum there is no state, and with it a run resumes to the bit") {
  ToyParams<float> params;
  params.add("w", 2, 1, {1, 1});
  CHECK(bind(Sgd{}, params.trainable()).tensors().empty());
  CHECK(bind(Sgd{}, params.trainable()).state().bytes() == 0);
  CHECK(bind(Sgd{.momentum = 0.9}, params.trainable()).tensors().at(0).name == "w.momentum_buffer");
  for (int const cut : {0, 1, 5})
    CHECK(resumes_to_the_bit(Sgd{.momentum = 0.9, .dampening = 0.1, .weight_decay = 0.1}, cut, 9));
}

TEST_CASE("sgd: combinations that torch refuses are refused with the values") {
  ToyParams<float> params;
  params.add("w", 1, 1, {1});
  auto const says = [&](Sgd const& spec) { return message_of([&] { (void)bind(spec, params.trainable()); }); };
  CHECK(says({.nesterov = true}) ==
        "[sgd] nesterov needs momentum above 0 and no dampening: got momentum=0 dampening=0");
  CHECK(says({.momentum = 0.9, .dampening = 0.1, .nesterov = true}).find("dampening=0.1") != std::string::npos);
  CHECK(says({.momentum = 1}).find("momentum must be in [0, 1)") != std::string::npos);
  CHECK(says({.dampening = 2}).find("dampening must be in [0, 1]") != std::string::npos);
  CHECK(says({.weight_decay = -1}).find("weight_decay") != std::string::npos);
}
