// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/attention.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>

#include <support/attention_case.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

AttentionConfig config(Index heads = 4, Index kv_heads = 2, Index window = 0) {
  AttentionConfig result;
  result.hidden_size = 6;
  result.shape = {heads, kv_heads, 4, 0.6, window};
  result.norm_eps = 1e-3;
  return result;
}

template <class A, bool QkNorm>
struct Case : test::ModuleBench<A> {
  Case(A spec, AttentionConfig const& c, double offset = 0) : test::ModuleBench<A>(std::move(spec), offset), config(c) {
    test::add_attention_weights(this->weights, "a", c);
    attention.emplace(this->builder, "a", c);
    attention->append(params);
  }
  AttentionConfig config;
  std::optional<Attention<double, Reference, A, QkNorm>> attention;
  Params<double> params;
};

/// Forward against the formula (an adapter's Δ is zero at first), gradients after everything moved.
template <bool QkNorm, class A>
void check(A adapter, AttentionConfig const& c, std::vector<Index> const& lengths, double offset = 0) {
  Case<A, QkNorm> one(std::move(adapter), c, offset);
  test::PackedPositions const where(lengths, c.shape.head_dim);
  Rng rng(8);
  Matrix x = Matrix::random(where.tokens(), c.hidden_size, rng), y(where.tokens(), c.hidden_size);
  auto saved = one.attention->take(one.workspace, where.tokens());
  auto const forward = [&](In<double> in, Out<double> out) {
    saved = one.attention->take(one.workspace, where.tokens());
    one.attention->forward(one.workspace, in, where.get(), saved, out);
  };
  forward(x.view(), y.view());
  CHECK(test::distance(y, test::plain_attention_module(x, one.weights, "a", c, where, QkNorm, offset)) <= 1e-13);
  CHECK(one.attention->trained() == !one.params.empty());
  test::disturb(one.params);
  test::check_module(one, one.params, x, c.hidden_size, forward, [&](In<double> in, In<double> dy, Out<double> dx) {
    one.attention->backward(one.workspace, in, where.get(), saved, dy, dx);
  });
}

}  // namespace

TEST_CASE("attention: multi-head, grouped and single-key heads, over packed sequences of one to five tokens") {
  for (Index const kv_heads : {4, 2, 1}) {
    CAPTURE(kv_heads);
    check<false>(Lora{.rank = 2, .alpha = 3}, config(4, kv_heads), {5, 1, 3});
  }
  check<false>(Frozen{}, config(), {5, 1, 3});
}

TEST_CASE("attention: with biases and every weight trained, with and without rotation") {
  for (bool const rope : {true, false}) {
    CAPTURE(rope);
    auto c = config();
    c.rope = rope;
    c.qkv_bias = c.output_bias = true;
    check<false>(FullFineTune{}, c, {4, 2});
    check<true>(FullFineTune{}, c, {4, 2});
    c.output_bias = false;
    check<false>(FullFineTune{.frozen_parameters = {"o_proj.weight"}}, c, {4, 2});
  }
}

TEST_CASE("attention: query and key norms act before the rotation, with Gemma's offset too") {
  check<true>(FullFineTune{}, config(), {5, 2});
  check<true>(FullFineTune{}, config(4, 1), {5, 2}, 1);
  check<true>(Lora{.rank = 2, .alpha = 3}, config(), {5, 2});
  // Only the norms are trained: the gradient must still get through the scores.
  check<true>(FullFineTune{.frozen_parameters = TargetModules::regex(R"(.*_proj\..*)")}, config(), {5, 2});
}

TEST_CASE("attention: a window hides older keys, in sequences shorter and longer than it") {
  for (Index const window : {1, 2, 3, 7}) {
    CAPTURE(window);
    check<false>(Lora{.rank = 2, .alpha = 3}, config(4, 2, window), {6, 2});
  }
}

TEST_CASE("attention: one adapted projection at a time, where dx is not wanted") {
  for (char const* module : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
    CAPTURE(module);
    check<false>(Lora{.rank = 2, .alpha = 3, .target_modules = {module}}, config(), {4});
  }
}

TEST_CASE("attention: passes over a cache, in pieces and for several sequences, equal the whole pass") {
  auto const c = config(4, 2, 3);
  Case<Frozen, true> one({}, c);
  std::vector<Index> const lengths{6, 3, 5};
  Index const slots = 4, capacity = 7, width = 8;
  test::PackedPositions const whole(lengths, 4);
  Rng rng(9);
  Matrix const x = Matrix::random(whole.tokens(), c.hidden_size, rng);
  Matrix const expected = test::plain_attention_module(x, one.weights, "a", c, whole, true);

  double const unset = 1e9;
  std::vector<double> keys(static_cast<std::size_t>(slots * capacity * width), unset), values = keys;
  CacheLayer<double> const cache{keys.data(), values.data(), capacity};
  std::vector<Index> const slot_of{2, 0, 3};
  // Sequences advance by different steps; in the third pass the second one rests.
  std::vector<std::vector<Index>> const passes{{2, 2, 1}, {3, 1, 1}, {1, 0, 3}};
  std::vector<Index> done(3, 0);
  for (auto const& steps : passes) {
    std::vector<CacheEntry> entries;
    std::vector<Index> from;  // row of `whole` for each row of the pass
    for (std::size_t s = 0; s < 3; ++s) {
      if (steps[s] == 0) continue;
      entries.push_back({slot_of[s], static_cast<Index>(from.size()), steps[s], done[s] + steps[s]});
      for (Index i = 0; i < steps[s]; ++i) from.push_back(whole.cu_seqlens[s] + done[s] + i);
      done[s] += steps[s];
    }
    auto const tokens = static_cast<Index>(from.size());
    Matrix in(tokens, c.hidden_size), out(tokens, c.hidden_size), cos(tokens, 2), sin(tokens, 2);
    for (Index t = 0; t < tokens; ++t) {
      Index const row = from[static_cast<std::size_t>(t)];
      for (Index i = 0; i < c.hidden_size; ++i) in(t, i) = x(row, i);
      for (Index i = 0; i < 2; ++i) cos(t, i) = whole.cos(row, i), sin(t, i) = whole.sin(row, i);
    }
    Positions<double> const where{{}, cos.view(), sin.view()};
    one.attention->forward_cached(one.workspace, in.view(), where, cache, entries, out.view());
    for (Index t = 0; t < tokens; ++t)
      for (Index i = 0; i < c.hidden_size; ++i)
        CHECK(out(t, i) == doctest::Approx(expected(from[static_cast<std::size_t>(t)], i)).epsilon(1e-12));
  }
  // Nothing was written to the slot that no sequence has, nor behind a sequence's end.
  for (Index t = 0; t < capacity; ++t) CHECK(keys[static_cast<std::size_t>((capacity + t) * width)] == unset);
  CHECK(keys[static_cast<std::size_t>(3 * width)] == unset);
  CHECK(values[static_cast<std::size_t>((2 * capacity + 6) * width)] == unset);
}

TEST_CASE("attention: parameters, weights and linears come in one order") {
  auto c = config();
  c.qkv_bias = true;
  Case<FullFineTune, true> one({}, c);
  std::vector<std::string> names, weights, linears;
  for (auto const& param : one.params) names.push_back(param.name);
  one.attention->visit([&](auto const& weight, auto) { weights.push_back(weight.name()); });
  one.attention->visit_linears([&](auto const& linear) { linears.push_back(linear.name()); });
  CHECK(names == std::vector<std::string>{"a.q_proj.weight", "a.q_proj.bias", "a.k_proj.weight", "a.k_proj.bias", "a.v_proj.weight",
                                          "a.v_proj.bias", "a.o_proj.weight", "a.q_norm.weight", "a.k_norm.weight"});
  CHECK(weights == names);
  CHECK(linears == std::vector<std::string>{"a.q_proj", "a.k_proj", "a.v_proj", "a.o_proj"});
}
