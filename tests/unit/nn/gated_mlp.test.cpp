// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/gated_mlp.hpp>

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
template <Activation Act, class A>
void check_mlp(A adapter, bool with_bias, double (*act)(double)) {
  test::ModuleBench<A> bench(std::move(adapter));
  for (char const* name : {"m.gate_proj", "m.up_proj"}) {
    bench.weights.matrix(name + std::string(".weight"), intermediate, hidden);
    bench.weights.vector(name + std::string(".bias"), intermediate);
  }
  bench.weights.matrix("m.down_proj.weight", hidden, intermediate);
  bench.weights.vector("m.down_proj.bias", hidden);
  GatedMlp<double, Reference, A, Act> mlp(bench.builder, "m", hidden, intermediate, with_bias);
  Params<double> params;
  mlp.append(params);
  CHECK(mlp.trained() == !params.empty());
  Rng rng(6);
  Matrix x = Matrix::random(tokens, hidden, rng, 1.5), y(tokens, hidden);
  auto const& w = bench.weights;
  std::vector<Matrix> biases;
  if (with_bias) biases = {w["m.gate_proj.bias"], w["m.up_proj.bias"], w["m.down_proj.bias"]};
  auto const saved = mlp.take(bench.workspace, tokens);
  mlp.forward(bench.workspace, x.view(), saved, y.view());
  CHECK(test::distance(y, test::plain_gated_mlp(x, w["m.gate_proj.weight"], w["m.up_proj.weight"], w["m.down_proj.weight"], act, biases)) <= 1e-14);

  // What expand makes again is what forward saved.
  Matrix const gate = Matrix::copy(saved.gate), up = Matrix::copy(saved.up);
  auto const again = mlp.take(bench.workspace, tokens);
  mlp.expand(bench.workspace, x.view(), again);
  CHECK(Matrix::copy(again.gate) == gate);
  CHECK(Matrix::copy(again.up) == up);

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

TEST_CASE("gated_mlp: SwiGLU with LoRA, frozen, and trained whole") {
  check_mlp<Activation::silu>(Frozen{}, false, test::plain_silu);
  check_mlp<Activation::silu>(Lora{.rank = 2, .alpha = 3}, false, test::plain_silu);
  check_mlp<Activation::silu>(FullFineTune{}, true, test::plain_silu);
}

TEST_CASE("gated_mlp: GeGLU with biases, an adapter on one product at a time") {
  for (char const* module : {"gate_proj", "up_proj", "down_proj"}) {
    CAPTURE(module);
    check_mlp<Activation::gelu_tanh>(Lora{.rank = 2, .alpha = 3, .target_modules = {module}, .bias = TrainBias::lora_only}, true,
                                     test::plain_gelu_tanh);
  }
  check_mlp<Activation::gelu_tanh>(FullFineTune{.frozen_parameters = {"m.down_proj.weight"}}, true, test::plain_gelu_tanh);
}

TEST_CASE("gated_mlp: linears and weights are visited in one order") {
  test::ModuleBench<Frozen> bench({});
  for (char const* name : {"m.gate_proj.weight", "m.up_proj.weight"}) bench.weights.matrix(name, intermediate, hidden);
  bench.weights.matrix("m.down_proj.weight", hidden, intermediate);
  GatedMlp<double, Reference, Frozen, Activation::silu> const mlp(bench.builder, "m", hidden, intermediate, false);
  std::vector<std::string> linears, weights;
  mlp.visit_linears([&](auto const& linear) { linears.push_back(linear.name()); });
  mlp.visit([&](auto const& weight, auto) { weights.push_back(weight.name()); });
  CHECK(linears == std::vector<std::string>{"m.gate_proj", "m.up_proj", "m.down_proj"});
  CHECK(weights == std::vector<std::string>{"m.gate_proj.weight", "m.up_proj.weight", "m.down_proj.weight"});
}
