// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/embedding.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>

#include <support/module_bench.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {
constexpr Index vocabulary = 9, width = 4;
std::vector<std::int32_t> const ids{3, 0, 8, 3, 3};
}  // namespace

TEST_CASE("embedding: rows are looked up and scaled") {
  test::ModuleBench<Frozen> bench({});
  Matrix const& table = bench.weights.matrix("e.weight", vocabulary, width);
  Embedding<double, Reference> const embedding(bench.builder, "e", vocabulary, width, 2.5);
  CHECK_FALSE(embedding.trained());
  CHECK(embedding.weight().name() == "e.weight");
  Matrix x(5, width, 99);
  embedding.forward(bench.backend, ids.data(), x.view());
  for (Index t = 0; t < 5; ++t)
    for (Index i = 0; i < width; ++i) CHECK(x(t, i) == 2.5 * table(ids[static_cast<std::size_t>(t)], i));
  Params<double> params;
  embedding.append(params);
  CHECK(params.empty());
  embedding.backward(bench.backend, ids.data(), x.view());  // nothing is trained: nothing happens
}

TEST_CASE("embedding: the table's gradient adds up over repeated ids and to what is there; other rows get none") {
  test::ModuleBench<FullFineTune> bench({});
  bench.weights.matrix("e.weight", vocabulary, width);
  Embedding<double, Reference> const embedding(bench.builder, "e", vocabulary, width, 2.5);
  Params<double> params;
  embedding.append(params);
  REQUIRE(params.size() == 1);
  CHECK(params[0].decay);
  Rng rng(5);
  Matrix const dx = Matrix::random(5, width, rng);
  auto const loss = [&] {
    Matrix x(5, width);
    embedding.forward(bench.backend, ids.data(), x.view());
    double total = 0;
    for (std::size_t i = 0; i < x.values.size(); ++i) total += x.values[i] * dx.values[i];
    return total;
  };
  embedding.backward(bench.backend, ids.data(), dx.view());
  auto const result = test::check_gradients(params, loss, vocabulary * width);
  CHECK_MESSAGE(result.largest <= 1e-6, result.where, " deviates by ", result.largest);
  for (Index v : {1, 2, 4, 5, 6, 7})
    for (Index i = 0; i < width; ++i) CHECK(params[0].grad.row(v)[i] == 0);
  Matrix const once = Matrix::copy(params[0].grad);
  embedding.backward(bench.backend, ids.data(), dx.view());
  CHECK(test::distance(params[0].grad, test::sum(once, once).view()) <= 1e-14);
}
