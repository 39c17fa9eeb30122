// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/mlp.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>

#include <support/module_bench.hpp>
#include <support/plain_modules.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

constexpr Index hidden = 5, intermediate = 7, tokens = 4;

/// Forward against the formula (without the adapter's Δ, which starts at zero), gradients after everything moved.
template <class A>
void check_mlp(A adapter, bool with_bias) {
  test::ModuleBench<A> bench(std::move(adapter));
  bench.weights.matrix("m.c_fc.weight", intermediate, hidden);
  bench.weights.vector("m.c_fc.bias", intermediate);
  bench.weights.matrix("m.c_proj.weight", hidden, intermediate);
  bench.weights.vector("m.c_proj.bias", hidden);
  Mlp<double, Reference, A, Activation::gelu_tanh> mlp(bench.builder, "m", hidden, intermediate, with_bias);
  Params<double> params;
  mlp.append(params);
  CHECK(mlp.trained() == !params.empty());
  Rng rng(6);
  Matrix x = Matrix::random(tokens, hidden, rng, 1.5), y(tokens, hidden);
  auto const& w = bench.weights;
  auto const bias = [&](char const* name) { return with_bias ? &w[name] : nullptr; };
  auto const saved = mlp.take(bench.workspace, tokens);
  mlp.forward(bench.workspace, x.view(), saved, y.view());
  Matrix h = test::plain_linear(x, w["m.c_fc.weight"], bias("m.c_fc.bias"));
  for (double& value : h.values) value = test::plain_gelu_tanh(value);
  CHECK(test::distance(y, test::plain_linear(h, w["m.c_proj.weight"], bias("m.c_proj.bias"))) <= 1e-14);

  // What expand makes again is what forward saved.
  auto const again = mlp.take(bench.workspace, tokens);
  mlp.expand(bench.workspace, x.view(), again);
  CHECK(Matrix::copy(again.raw) == Matrix::copy(saved.raw));

  test::disturb(params);
  auto kept = saved;
  test::check_module(
      bench, params, x, hidden,
      [&](In<double> in, Out<double> out) {
        kept = mlp.take(bench.workspace, tokens);
        mlp.forward(bench.workspace, in, kept, out);
      },
      [&](In<double> in, In<double> dy, Out<double> dx) { mlp.backward(bench.workspace, in, kept, dy, dx); });
}

}  // namespace

TEST_CASE("mlp: frozen, with LoRA on one product or both, and trained whole") {
  check_mlp(Frozen{}, true);
  for (char const* module : {"c_fc", "c_proj"}) {
    CAPTURE(module);
    check_mlp(Lora{.rank = 2, .alpha = 3, .target_modules = {module}, .bias = TrainBias::lora_only}, true);
  }
  check_mlp(Lora{.rank = 2, .alpha = 3}, false);
  check_mlp(FullFineTune{}, true);
  check_mlp(FullFineTune{.frozen_parameters = {"m.c_proj.weight"}}, true);
}

TEST_CASE("mlp: linears and weights are visited in one order") {
  test::ModuleBench<Frozen> bench({});
  bench.weights.matrix("m.c_fc.weight", intermediate, hidden);
  bench.weights.matrix("m.c_proj.weight", hidden, intermediate);
  Mlp<double, Reference, Frozen, Activation::silu> const mlp(bench.builder, "m", hidden, intermediate, false);
  std::vector<std::string> linears, weights;
  mlp.visit_linears([&](auto const& linear) { linears.push_back(linear.name()); });
  mlp.visit([&](auto const& weight, auto) { weights.push_back(weight.name()); });
  CHECK(linears == std::vector<std::string>{"m.c_fc", "m.c_proj"});
  CHECK(weights == std::vector<std::string>{"m.c_fc.weight", "m.c_proj.weight"});
}
