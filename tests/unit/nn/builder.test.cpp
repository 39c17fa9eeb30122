// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/builder.hpp>

#include <graft/adapter/full_fine_tune.hpp>

#include <support/message_of.hpp>
#include <support/module_bench.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("builder: a weight must have the shape that the configuration asks for") {
  test::ModuleBench<FullFineTune> bench({});
  bench.weights.matrix("w", 3, 4);
  bench.weights.vector("v", 3);
  CHECK(bench.builder.weight("w", {3, 4}).rows() == 3);
  CHECK(test::message_of([&] { (void)bench.builder.weight("w", {4, 3}); }) ==
        "[model] the weight w has shape (3, 4), but the configuration asks for (4, 3)");
  CHECK(test::message_of([&] { (void)bench.builder.weight("w", {12}); }) ==
        "[model] the weight w has shape (3, 4), but the configuration asks for (12)");
  CHECK(test::message_of([&] { (void)bench.builder.weight("v", {3, 1}); }) ==
        "[model] the weight v has shape (3), but the configuration asks for (3, 1)");
}

TEST_CASE("builder: what the adapter names is trained, the rest is not; an absent weight is absent") {
  test::ModuleBench<FullFineTune> bench({.frozen_parameters = {"layers.0.w"}});
  bench.weights.matrix("layers.0.w", 2, 2);
  bench.weights.matrix("layers.1.w", 2, 2);
  CHECK_FALSE(bench.builder.weight("layers.0.w", {2, 2}).trained());
  CHECK(bench.builder.weight("layers.1.w", {2, 2}).trained());
  auto const absent = bench.builder.weight_if(false, "nowhere", {2, 2});
  CHECK_FALSE(absent.present());
  CHECK_FALSE(absent.trained());
  Params<double> params;
  absent.append(params);
  CHECK(params.empty());
  CHECK(bench.builder.weight_if(true, "layers.1.w", {2, 2}).present());
}
