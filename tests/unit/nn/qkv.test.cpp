// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/qkv.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>

#include <support/module_bench.hpp>
#include <support/plain_modules.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

constexpr Index tokens = 4;
constexpr QkvShape shape{5, 6, 2, true};

template <class A>
struct Fused : test::ModuleBench<A> {
  explicit Fused(A spec) : test::ModuleBench<A>(std::move(spec)) {
    this->weights.matrix("a.c_attn.weight", 10, 5);
    this->weights.vector("a.c_attn.bias", 10);
    qkv.emplace(this->builder, "a", shape);
    qkv->append(params);
  }
  std::optional<FusedQkv<double, Reference, A>> qkv;
  Params<double> params;
};

/// Columns [begin, end) of x.
Matrix columns(Matrix const& x, Index begin, Index end) {
  Matrix part(x.rows, end - begin);
  for (Index t = 0; t < x.rows; ++t)
    for (Index c = begin; c < end; ++c) part(t, c - begin) = x(t, c);
  return part;
}

template <class A>
void check_fused(A adapter) {
  Fused<A> one(std::move(adapter));
  Rng rng(4);
  Matrix x = Matrix::random(tokens, 5, rng), q(tokens, 6), k(tokens, 2), v(tokens, 2);
  one.qkv->forward(one.workspace, x.view(), q.view(), k.view(), v.view());
  Matrix const all = test::plain_linear(x, one.weights["a.c_attn.weight"], &one.weights["a.c_attn.bias"]);
  CHECK(test::distance(q, columns(all, 0, 6)) <= 1e-14);
  CHECK(test::distance(k, columns(all, 6, 8)) <= 1e-14);
  CHECK(test::distance(v, columns(all, 8, 10)) <= 1e-14);
  CHECK(one.qkv->trained() == !one.params.empty());
  test::disturb(one.params);
  // (q | k | v) as the one output that check_module knows.
  auto const part = [](auto y, Index begin, Index end) { return y.cols_between(begin, end); };
  test::check_module(
      one, one.params, x, 10,
      [&](In<double> in, Out<double> y) {
        one.qkv->forward(one.workspace, in, q.view(), k.view(), v.view());
        one.backend.copy(In<double>(q.view()), part(y, 0, 6));
        one.backend.copy(In<double>(k.view()), part(y, 6, 8));
        one.backend.copy(In<double>(v.view()), part(y, 8, 10));
      },
      [&](In<double> in, In<double> dy, Out<double> dx) {
        one.qkv->backward(one.workspace, in, part(dy, 0, 6), part(dy, 6, 8), part(dy, 8, 10), dx);
      });
}

}  // namespace

TEST_CASE("qkv: one product gives q, k and v in this order, with right gradients") {
  check_fused(Frozen{});
  check_fused(Lora{.rank = 2, .alpha = 3, .target_modules = {"c_attn"}});
  check_fused(FullFineTune{});
}

TEST_CASE("qkv: three products are three modules, one product is one") {
  test::ModuleBench<Frozen> bench({});
  for (auto const& [name, rows] : {std::pair("a.q_proj", Index{6}), std::pair("a.k_proj", Index{2}), std::pair("a.v_proj", Index{2})}) {
    bench.weights.matrix(name + std::string(".weight"), rows, 5);
    bench.weights.vector(name + std::string(".bias"), rows);
  }
  SeparateQkv<double, Reference, Frozen> const qkv(bench.builder, "a", shape);
  std::vector<std::string> names;
  qkv.visit_linears([&](auto const& linear) { names.push_back(linear.name()); });
  CHECK(names == std::vector<std::string>{"a.q_proj", "a.k_proj", "a.v_proj"});
  Fused<Frozen> fused({});
  names.clear();
  fused.qkv->visit_linears([&](auto const& linear) { names.push_back(linear.name()); });
  CHECK(names == std::vector<std::string>{"a.c_attn"});
}
