// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/rms_norm.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>

#include <support/module_bench.hpp>
#include <support/plain_modules.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

constexpr Index width = 6, tokens = 5;
constexpr double eps = 1e-3;

template <class A>
void check_norm(A adapter, double offset) {
  test::ModuleBench<A> bench(adapter, offset);
  bench.weights.vector("n.weight", width, 1);
  RmsNorm<double, Reference> const norm(bench.builder, "n", width, eps);
  Params<double> params;
  norm.append(params);
  CHECK(norm.trained() == !params.empty());
  Rng rng(3);
  Matrix x = Matrix::random(tokens, width, rng), y(tokens, width);
  std::fill_n(x.values.begin(), width, 0.0);  // a row of zeros: eps alone divides
  norm.forward(bench.workspace, x.view(), y.view());
  CHECK(test::distance(y, test::plain_rms_norm(x, bench.weights["n.weight"], eps, offset)) <= 1e-14);
  test::check_module(bench, params, x, width, [&](In<double> in, Out<double> out) { norm.forward(bench.workspace, in, out); },
                     [&](In<double> in, In<double> dy, Out<double> dx) { norm.backward(bench.workspace, in, dy, dx); },
                     test::Dx::is_needed);
}

}  // namespace

TEST_CASE("rms_norm: forward equals the formula, gradients equal central differences, frozen or trained") {
  check_norm(Frozen{}, 0);
  check_norm(FullFineTune{}, 0);
}

TEST_CASE("rms_norm: the offset of Gemma's gains acts in forward and backward and is not what a file gets") {
  check_norm(Frozen{}, 1);
  check_norm(FullFineTune{}, 1);
  test::ModuleBench<FullFineTune> bench({}, 1);
  Matrix const gain = bench.weights.vector("n.weight", width);
  RmsNorm<double, Reference> const norm(bench.builder, "n", width, eps);
  Params<double> params;
  norm.append(params);
  REQUIRE(params.size() == 1);
  CHECK(params[0].shape == std::vector<Index>{width});
  CHECK_FALSE(params[0].decay);
  for (Index i = 0; i < width; ++i) CHECK(params[0].value.data[i] == gain(0, i) + 1);
  norm.visit([&](auto const& weight, auto) {
    Matrix file(1, width);
    weight.download(bench.backend, file.values);
    CHECK(test::distance(file, gain) <= 1e-15);
  });
}
