// SPDX-License-Identifier: Apache-2.0
#include <graft/optim/adafactor.hpp>

#include <doctest/doctest.h>
#include <graft/optim/bind.hpp>
#include <support/message_of.hpp>
#include <support/optimizer_check.hpp>

using namespace graft;
using namespace graft::test;

static_assert(Optimizer<Adafactor, float, Reference>);

TEST_CASE("adafactor: the first step of a matrix of equal gradients moves every entry by the rate, whatever their size") {
  for (double const g : {1e-6, 1.0, 1e6}) {
    ToyParams<double> params;
    params.add("w", 2, 3, {1, 1, 1, 1, 1, 1});
    auto optimizer = bind(Adafactor{}, params.trainable());
    params.set_grad(0, std::vector<double>(6, g));
    optimizer.step(0.25);
    for (double const value : params.value(0)) CHECK(value == doctest::Approx(0.75).epsilon(1e-12));
  }
}

TEST_CASE("adafactor: a matrix keeps a number for each row and column, a vector one for each entry") {
  ToyParams<float> params;
  params.add("w", 2, 3, std::vector<float>(6, 1.0f));
  params.add("b", 1, 4, std::vector<float>(4, 1.0f));
  auto optimizer = bind(Adafactor{}, params.trainable());
  std::vector<std::string> names;
  Index size = 0;
  for (auto const& tensor : optimizer.tensors()) {
    names.push_back(tensor.name);
    size += tensor.value.size();
  }
  CHECK(names.size() == 3);
  CHECK(names[0] == "w.exp_avg_sq_row");
  CHECK(size == 2 + 3 + 4);
  CHECK(bind(Adafactor{.beta1 = 0.9}, params.trainable()).tensors().size() == 5);
}

TEST_CASE("adafactor: resumes to the bit and refuses settings that contradict") {
  for (int const cut : {0, 4}) {
    CHECK(resumes_to_the_bit(Adafactor{.weight_decay = 0.1}, cut, 8));
    CHECK(resumes_to_the_bit(Adafactor{.beta1 = 0.9, .scale_parameter = true, .relative_step = true, .warmup_init = true}, cut, 8));
  }
  ToyParams<float> params;
  params.add("w", 1, 1, {1});
  auto const says = [&](Adafactor const& spec) { return message_of([&] { (void)bind(spec, params.trainable()); }); };
  CHECK(says({.beta1 = 1}) == "[adafactor] beta1 must be in [0, 1): got 1");
  CHECK(says({.decay_rate = 0.8}) == "[adafactor] decay_rate must be below 0: got 0.8");
  CHECK(says({.clip_threshold = 0}) == "[adafactor] clip_threshold must be finite and above 0: got 0");
  CHECK(says({.warmup_init = true}) == "[adafactor] warmup_init needs relative_step");
}
