// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/adamw.hpp>

#include <doctest/doctest.h>
#include <graft/optim/bind.hpp>
#include <support/message_of.hpp>
#include <support/optimizer_check.hpp>

#include <cmath>
#include <limits>

using namespace graft;
using namespace graft::test;

namespace graft::test {

/// The textbook form with bias-corrected moments, kept apart from the code under test.
struct TextbookAdamW {
  AdamW spec;
  double p = 0, m = 0, v = 0;
  int t = 0;
  void step(double lr, double g, bool decay) {
    ++t;
    if (decay) p -= lr * spec.weight_decay * p;
    m = spec.beta1 * m + (1 - spec.beta1) * g;
    v = spec.beta2 * v + (1 - spec.beta2) * g * g;
    double const m_hat = m / (1 - std::pow(spec.beta1, t));
    double const v_hat = v / (1 - std::pow(spec.beta2, t));
    p -= lr * m_hat / (std::sqrt(v_hat) + spec.eps);
  }
};

}  // namespace graft::test

static_assert(Optimizer<AdamW, float, Reference> && Optimizer<AdamW, double, Reference>);

TEST_CASE("adamw: the first step moves every element by the learning rate against its gradient's sign") {
  ToyParams<double> params;
  params.add("w", 2, 2, {1, 2, 3, 4});
  auto optimizer = bind(AdamW{.eps = 0, .weight_decay = 0}, params.trainable());
  params.set_grad(0, {5, -0.001, 1e6, -3});
  optimizer.step(0.1);
  auto const w = params.value(0);
  CHECK(w[0] == doctest::Approx(0.9).epsilon(1e-14));
  CHECK(w[1] == doctest::Approx(2.1).epsilon(1e-14));
  CHECK(w[2] == doctest::Approx(2.9).epsilon(1e-14));
  CHECK(w[3] == doctest::Approx(4.1).epsilon(1e-14));
}

TEST_CASE("adamw: 40 steps with changing rates and decay equal the textbook form, and a vector does not decay") {
  AdamW const spec{.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .weight_decay = 0.3};
  ToyParams<double> params;
  params.add("w", 2, 1, {1.5, -0.5});
  params.add("b", 1, 1, {2.0});
  auto optimizer = bind(spec, params.trainable());
  std::vector<TextbookAdamW> expected{{spec, 1.5}, {spec, -0.5}, {spec, 2.0}};
  Rng rng(4);
  for (int step = 0; step < 40; ++step) {
    double const lr = 0.01 * (step % 5);
    std::vector<double> const g{rng.normal(), step % 7 == 0 ? 0.0 : rng.normal() * 1e-3, rng.normal()};
    params.set_grad(0, {g[0], g[1]});
    params.set_grad(1, {g[2]});
    optimizer.step(lr);
    for (std::size_t i = 0; i < 3; ++i) expected[i].step(lr, g[i], i < 2);
  }
  CHECK(params.value(0)[0] == doctest::Approx(expected[0].p).epsilon(1e-12));
  CHECK(params.value(0)[1] == doctest::Approx(expected[1].p).epsilon(1e-12));
  CHECK(params.value(1)[0] == doctest::Approx(expected[2].p).epsilon(1e-12));
  CHECK(optimizer.steps() == 40);
}

TEST_CASE("adamw: a step reads gradients and leaves them, zero_grad clears them") {
  ToyParams<float> params;
  params.add("w", 1, 3, {1, 2, 3});
  auto optimizer = bind(AdamW{}, params.trainable());
  params.set_grad(0, {1, 1, 1});
  optimizer.step(0.1);
  CHECK(params.grad(0) == std::vector<float>{1, 1, 1});
  optimizer.zero_grad();
  CHECK(params.grad(0) == std::vector<float>{0, 0, 0});
}

TEST_CASE("adamw: its state has names and shapes for a checkpoint and resumes to the bit") {
  ToyParams<float> params;
  Rng rng(2);
  fill_random(params, rng);
  auto const tensors = bind(AdamW{}, params.trainable()).tensors();
  REQUIRE(tensors.size() == 4);
  CHECK(tensors[0].name == "layers.0.weight.exp_avg");
  CHECK(tensors[1].name == "layers.0.weight.exp_avg_sq");
  CHECK(tensors[3].name == "layers.0.bias.exp_avg_sq");
  CHECK(tensors[1].shape == std::vector<Index>{3, 5});
  CHECK(tensors[3].shape == std::vector<Index>{7});
  CHECK(tensors[3].value.size() == 7);
  for (int const cut : {0, 1, 7}) CHECK(resumes_to_the_bit(AdamW{}, cut, 12));
}

TEST_CASE("adamw: hyper-parameters outside their range, rates that are no rates and nothing to train are refused") {
  ToyParams<float> params;
  params.add("w", 1, 1, {1});
  auto const says = [&](AdamW const& spec) { return message_of([&] { (void)bind(spec, params.trainable()); }); };
  CHECK(says({.beta1 = 1}) == "[adamw] beta1 must be in [0, 1): got 1");
  CHECK(says({.beta2 = -0.1}) == "[adamw] beta2 must be in [0, 1): got -0.1");
  CHECK(says({.eps = -1}).find("eps must be finite") != std::string::npos);
  CHECK(says({.weight_decay = std::nan("")}).find("weight_decay must be finite") != std::string::npos);

  auto optimizer = bind(AdamW{}, params.trainable());
  for (double const lr : {-1e-9, std::numeric_limits<double>::infinity(), std::nan("")})
    CHECK(message_of([&] { optimizer.step(lr); }).find("[optim] the learning rate must be finite") == 0);
  CHECK(optimizer.steps() == 0);
  CHECK(message_of([&] { optimizer.set_steps(-1); }).find("got -1") != std::string::npos);

  ToyParams<float> none;
  CHECK(message_of([&] { (void)bind(AdamW{}, none.trainable()); }).find("must have parameters to train") !=
        std::string::npos);
  Trainable<float, Reference> crossed = params.trainable();
  crossed.params[0].grad.cols = 0;
  CHECK(message_of([&] { (void)bind(AdamW{}, crossed); }).find("got (1, 1) and (1, 0) for w") != std::string::npos);
}
