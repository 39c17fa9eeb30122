// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/linear.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>

#include <support/message_of.hpp>
#include <support/module_bench.hpp>
#include <support/plain_modules.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

constexpr Index in = 5, out = 7, tokens = 6;

/// A linear module with its bench, on random weights.
template <class A>
struct Case : test::ModuleBench<A> {
  explicit Case(A spec, bool bias = true) : test::ModuleBench<A>(std::move(spec)) {
    this->weights.matrix("p.weight", out, in);
    this->weights.vector("p.bias", out);
    linear.emplace(this->builder, "p", out, in, bias);
    linear->append(params);
  }
  Matrix run(Matrix const& x) {
    Matrix y(x.rows, out, 99);
    linear->forward(this->workspace, x.view(), y.view());
    return y;
  }
  void check(Matrix& x) {
    test::check_module(*this, params, x, out, [&](In<double> input, Out<double> y) { linear->forward(this->workspace, input, y); },
                       [&](In<double> input, In<double> dy, Out<double> dx) { linear->backward(this->workspace, input, dy, dx); });
  }
  std::optional<Linear<double, Reference, A>> linear;
  Params<double> params;
};

Matrix input() {
  Rng rng(4);
  return Matrix::random(tokens, in, rng);
}

}  // namespace

TEST_CASE("linear: the frozen product with and without bias equals the formula; only dx has a gradient") {
  auto x = input();
  for (bool const bias : {true, false}) {
    Case<Frozen> one({}, bias);
    CHECK(test::distance(one.run(x), test::plain_linear(x, one.weights["p.weight"], bias ? &one.weights["p.bias"] : nullptr)) <= 1e-14);
    CHECK(one.params.empty());
    CHECK_FALSE(one.linear->trained());
    CHECK_FALSE(one.linear->adapted());
    CHECK(one.linear->bias().present() == bias);
    one.check(x);
  }
}

TEST_CASE("linear: weight and bias are trained where the adapter says so") {
  auto x = input();
  Case<FullFineTune> all({});
  CHECK(test::distance(all.run(x), test::plain_linear(x, all.weights["p.weight"], &all.weights["p.bias"])) <= 1e-14);
  REQUIRE(all.params.size() == 2);
  CHECK(all.params[0].name == "p.weight");
  CHECK(all.params[0].shape == std::vector<Index>{out, in});
  CHECK(all.params[0].decay);
  CHECK(all.params[1].name == "p.bias");
  CHECK(all.params[1].shape == std::vector<Index>{out});
  CHECK_FALSE(all.params[1].decay);
  all.check(x);

  Case<FullFineTune> bias_only({.frozen_parameters = {"weight"}});
  REQUIRE(bias_only.params.size() == 1);
  CHECK(bias_only.params[0].name == "p.bias");
  bias_only.check(x);
}

TEST_CASE("linear: an adapter adds its Δ to the base, and only while adapters are on") {
  auto x = input();
  Case<Lora> one({.rank = 3, .alpha = 5, .bias = TrainBias::all});
  one.workspace.adapters = false;
  Matrix const base = one.run(x);
  one.workspace.adapters = true;
  CHECK(test::distance(base, test::plain_linear(x, one.weights["p.weight"], &one.weights["p.bias"])) <= 1e-14);
  CHECK(one.run(x) == base);  // B = 0
  REQUIRE(one.params.size() == 3);
  CHECK(one.params[0].name == "p.bias");
  CHECK(one.params[1].name == "p.lora_A.weight");
  CHECK(one.params[2].name == "p.lora_B.weight");
  test::disturb(one.params);
  Matrix const bias = Matrix::copy(one.params[0].value), a = Matrix::copy(one.params[1].value), b = Matrix::copy(one.params[2].value);
  Matrix const moved = test::plain_linear(x, one.weights["p.weight"], &bias);
  CHECK(test::distance(one.run(x), test::sum(moved, test::plain_linear(test::plain_linear(x, a), b), 5.0 / 3)) <= 1e-14);
  one.check(x);

  one.workspace.adapters = false;
  CHECK(test::distance(one.run(x), moved) <= 1e-14);
  for (auto const& param : one.params) std::fill_n(param.grad.data, param.grad.size(), 0.0);
  Matrix dx(tokens, in);
  one.linear->backward(one.workspace, x.view(), base.view(), dx.view());
  CHECK(test::detail::gradients_of(one.params)[1] == Matrix(3, in));
  CHECK(test::detail::gradients_of(one.params)[2] == Matrix(out, 3));
}

TEST_CASE("linear: modules are numbered in the order of building, adapted ones are remembered, weights are visited") {
  test::ModuleBench<Lora> bench({.rank = 1, .target_modules = {"b"}, .seed = 8});
  for (char const* name : {"a.weight", "b.weight", "c.b.weight"}) bench.weights.matrix(name, out, in);
  Linear<double, Reference, Lora> a(bench.builder, "a", out, in, false), b(bench.builder, "b", out, in, false),
      c(bench.builder, "c.b", out, in, false);
  CHECK(bench.builder.modules == 3);
  CHECK(bench.builder.adapted == std::vector<std::string>{"b", "c.b"});
  Params<double> params;
  b.append(params);
  c.append(params);
  CHECK(Matrix::copy(params[0].value) != Matrix::copy(params[2].value));  // A of two modules: other draws of one seed
  std::vector<std::string> visited;
  auto const visit = [&](auto const& weight, auto const* layer) { visited.push_back(weight.name() + (layer != nullptr ? "+" : "")); };
  a.visit(visit);
  b.visit(visit);
  CHECK(visited == std::vector<std::string>{"a.weight", "b.weight+"});
}

TEST_CASE("linear: a weight of another shape is named") {
  test::ModuleBench<Frozen> bench({});
  bench.weights.matrix("p.weight", out, in);
  CHECK(test::message_of([&] { Linear<double, Reference, Frozen>(bench.builder, "p", out, in + 1, false); }) ==
        "[model] the weight p.weight has shape (7, 5), but the configuration asks for (7, 6)");
  bench.weights.vector("p.bias", out + 2);
  CHECK(test::message_of([&] { Linear<double, Reference, Frozen>(bench.builder, "p", out, in, true); }) ==
        "[model] the weight p.bias has shape (9), but the configuration asks for (7)");
}
