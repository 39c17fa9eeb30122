// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/score_head.hpp>

#include <graft/adapter/frozen.hpp>

#include <support/message_of.hpp>
#include <support/module_bench.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

TEST_CASE("score_head: values and gradients equal central differences, for one label and for several") {
  for (Index const labels : {1, 3}) {
    test::ModuleBench<Frozen> bench{Frozen{}};
    ScoreHead<double, Reference> head(bench.backend, {.num_labels = labels, .seed = 4, .initializer_range = 0.5}, 6);
    Params<double> params;
    head.append(params);
    REQUIRE(params.size() == 1);
    CHECK(params[0].name == "score.weight");
    CHECK(params[0].shape == std::vector<Index>{labels, 6});
    CHECK(params[0].decay);
    Rng rng(3);
    Matrix x = Matrix::random(4, 6, rng);
    auto const flat = [](auto view) { return std::span(view.data, static_cast<std::size_t>(view.size())); };
    test::check_module(
        bench, params, x, labels, [&](In<double> in, Out<double> y) { head.forward(bench.workspace, in, flat(y)); },
        [&](In<double> in, In<double> dy, Out<double> dx) { head.backward(bench.workspace, in, flat(dy), dx); },
        test::Dx::is_needed);

    std::vector<double> scores(static_cast<std::size_t>(4 * labels));
    head.forward(bench.workspace, x.view(), scores);
    for (Index n = 0; n < 4; ++n)
      for (Index l = 0; l < labels; ++l) {
        double sum = 0;
        for (Index c = 0; c < 6; ++c) sum += x(n, c) * params[0].value.row(l)[c];
        CHECK(scores[static_cast<std::size_t>(n * labels + l)] == doctest::Approx(sum).epsilon(1e-13));
      }
  }
}

TEST_CASE("score_head: the weight starts normal with the deviation asked for, by seed") {
  Reference backend;
  auto const weight = [&](std::uint64_t seed, double range) {
    ScoreHead<float, Reference> const head(backend, {.num_labels = 2, .seed = seed, .initializer_range = range}, 5000);
    auto const view = head.weight().value();
    return std::vector<float>(view.data, view.data + view.size());
  };
  auto const values = weight(7, 0.02);
  double sum = 0, squares = 0;
  for (float v : values) {
    sum += v;
    squares += double{v} * v;
  }
  CHECK(std::abs(sum / 10000) < 4 * 0.02 / 100);
  CHECK(std::sqrt(squares / 10000) == doctest::Approx(0.02).epsilon(0.03));
  CHECK(weight(7, 0.02) == values);
  CHECK(weight(8, 0.02) != values);
  for (float v : weight(7, 0)) CHECK(v == 0);
}

TEST_CASE("score_head: a specification that makes no head is refused") {
  Reference backend;
  auto const message = [&](ScoreHeadSpec const& spec) {
    return test::message_of([&] { ScoreHead<float, Reference> const head(backend, spec, 4); });
  };
  CHECK(message({.num_labels = 0}) == "[score] num_labels must be 1 or more: got 0");
  CHECK(message({.initializer_range = -1}) == "[score] initializer_range must be 0 or more: got -1");
}
