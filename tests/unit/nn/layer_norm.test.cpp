// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/layer_norm.hpp>

#include <graft/adapter/full_fine_tune.hpp>

#include <support/module_bench.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

constexpr Index width = 6, tokens = 5;
constexpr double eps = 1e-3;

Matrix plain_layer_norm(Matrix const& x, Matrix const& gain, Matrix const& bias) {
  Matrix y(x.rows, x.cols);
  auto const n = static_cast<double>(x.cols);
  for (Index t = 0; t < x.rows; ++t) {
    double mean = 0, squares = 0;
    for (Index i = 0; i < x.cols; ++i) mean += x(t, i) / n;
    for (Index i = 0; i < x.cols; ++i) squares += std::pow(x(t, i) - mean, 2) / n;
    for (Index i = 0; i < x.cols; ++i) y(t, i) = (x(t, i) - mean) / std::sqrt(squares + eps) * gain(0, i) + bias(0, i);
  }
  return y;
}

}  // namespace

TEST_CASE("layer_norm: forward equals the formula and gradients equal central differences for every choice of what is trained") {
  for (TargetModules const& frozen : {TargetModules{}, TargetModules{"weight"}, TargetModules{"bias"}, TargetModules{"n.weight", "n.bias"}}) {
    CAPTURE(frozen.text());
    test::ModuleBench<FullFineTune> bench({.frozen_parameters = frozen}, 7);  // the offset of RMS norms is not ours
    bench.weights.vector("n.weight", width, 1);
    bench.weights.vector("n.bias", width);
    LayerNorm<double, Reference> const norm(bench.builder, "n", width, eps);
    Params<double> params;
    norm.append(params);
    CHECK(params.size() == 2 - frozen.names().size());
    CHECK(norm.trained() == !params.empty());
    for (auto const& param : params) CHECK_FALSE(param.decay);
    Rng rng(3);
    Matrix x = Matrix::random(tokens, width, rng, 1, 2), y(tokens, width);
    std::fill_n(x.values.begin(), width, 4.0);  // a constant row has variance 0
    norm.forward(bench.workspace, x.view(), y.view());
    CHECK(test::distance(y, plain_layer_norm(x, bench.weights["n.weight"], bench.weights["n.bias"])) <= 1e-13);
    test::check_module(bench, params, x, width, [&](In<double> in, Out<double> out) { norm.forward(bench.workspace, in, out); },
                       [&](In<double> in, In<double> dy, Out<double> dx) { norm.backward(bench.workspace, in, dy, dx); },
                     test::Dx::is_needed);
    std::vector<std::string> names;
    norm.visit([&](auto const& weight, auto) { names.push_back(weight.name()); });
    CHECK(names == std::vector<std::string>{"n.weight", "n.bias"});
  }
}
