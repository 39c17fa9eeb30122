// SPDX-License-Identifier: Apache-2.0
#include <graft/nn/block.hpp>

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/model/gemma3.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/qwen3.hpp>

#include <support/attention_case.hpp>

#include <doctest/doctest.h>

using namespace graft;
using test::Matrix;

namespace {

constexpr Index hidden = 6, intermediate = 5;
Recompute const levels[] = {Recompute::none, Recompute::selective, Recompute::full};

BlockConfig config() {
  BlockConfig result;
  result.attention.hidden_size = hidden;
  result.attention.shape = {2, 1, 4, 0.5, 0};
  result.attention.norm_eps = result.norm_eps = 1e-3;
  result.intermediate_size = intermediate;
  return result;
}

template <class Arch, class A>
struct Case : test::ModuleBench<A> {
  explicit Case(A spec) : test::ModuleBench<A>(std::move(spec), Arch::norm_offset) {
    auto& w = this->weights;
    test::add_attention_weights(w, "b.self_attn", config().attention);
    for (char const* name : {"b.mlp.gate_proj.weight", "b.mlp.up_proj.weight"}) w.matrix(name, intermediate, hidden);
    w.matrix("b.mlp.down_proj.weight", hidden, intermediate);
    for (char const* name : {"input", "post_attention", "pre_feedforward", "post_feedforward"})
      w.vector(std::string("b.") + name + "_layernorm.weight", hidden, 1 - Arch::norm_offset);
    block.emplace(this->builder, "b", config());
    block->append(params);
  }
  std::optional<Block<Arch, double, Reference, A>> block;
  Params<double> params;
};

/// The block from its formula.
template <class Arch>
Matrix plain_block(Matrix const& x, test::NamedWeights const& w, test::PackedPositions const& where) {
  auto const norm = [&](Matrix const& in, char const* name) {
    return test::plain_rms_norm(in, w[std::string("b.") + name + "_layernorm.weight"], 1e-3, Arch::norm_offset);
  };
  Matrix branch = test::plain_attention_module(norm(x, "input"), w, "b.self_attn", config().attention, where, Arch::qk_norm, Arch::norm_offset);
  if (Arch::post_norms) branch = norm(branch, "post_attention");
  Matrix const mid = test::sum(x, branch);
  branch = test::plain_gated_mlp(norm(mid, Arch::post_norms ? "pre_feedforward" : "post_attention"), w["b.mlp.gate_proj.weight"],
                                 w["b.mlp.up_proj.weight"], w["b.mlp.down_proj.weight"],
                                 Arch::post_norms ? test::plain_gelu_tanh : test::plain_silu);
  if (Arch::post_norms) branch = norm(branch, "post_feedforward");
  return test::sum(mid, branch);
}

/// Forward against the formula, gradients of parameters and input, at every recompute level.
template <class Arch, class A>
void check(A const& adapter) {
  test::PackedPositions const where({4, 2}, 4);
  std::vector<std::vector<Matrix>> gradients;
  for (auto const level : levels) {
    CAPTURE(static_cast<int>(level));
    Case<Arch, A> one(adapter);
    auto& block = *one.block;
    Rng rng(8);
    Matrix x = Matrix::random(where.tokens(), hidden, rng), y(where.tokens(), hidden);
    auto saved = block.take(one.workspace, x.view(), level);
    auto const forward = [&](In<double> in, Out<double> out) {
      saved = block.take(one.workspace, in, level);
      block.forward(one.workspace, where.get(), saved, out);
    };
    forward(x.view(), y.view());
    CHECK(test::distance(y, plain_block<Arch>(x, one.weights, where)) <= 1e-13);
    CHECK(block.trained() == !one.params.empty());
    test::disturb(one.params);
    // d comes in as the gradient of the output and leaves as that of the input.
    test::check_module(one, one.params, x, hidden, forward, [&](In<double>, In<double> dy, Out<double> dx) {
      Matrix d = Matrix::copy(dy);
      block.backward(one.workspace, where.get(), saved, !dx.empty(), d.view());
      if (!dx.empty()) add(one.backend, In<double>(d.view()), dx);
    });
    gradients.push_back(test::detail::gradients_of(one.params));
    for (std::size_t p = 0; p < one.params.size(); ++p) CHECK(test::distance(gradients.back()[p], gradients[0][p]) <= 1e-13);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("block: forward and gradients at every recompute level, adapted and trained whole", Arch, Llama, Qwen3, Gemma3) {
  check<Arch>(Lora{.rank = 2, .alpha = 3});
  check<Arch>(FullFineTune{});
  check<Arch>(Frozen{});
}

TEST_CASE_TEMPLATE("block: only what is trained decides how far down the gradient runs", Arch, Llama, Gemma3) {
  check<Arch>(Lora{.rank = 2, .alpha = 3, .target_modules = {"down_proj"}});
  check<Arch>(Lora{.rank = 2, .alpha = 3, .target_modules = {"o_proj"}});
  check<Arch>(Lora{.rank = 2, .alpha = 3, .target_modules = {"gate_proj"}, .modules_to_save = {"input_layernorm"}});
  check<Arch>(Lora{.rank = 2, .alpha = 3, .target_modules = {}, .modules_to_save = {"post_attention_layernorm"}});
}

TEST_CASE_TEMPLATE("block: levels save less memory, in their order", Arch, Llama, Gemma3) {
  Case<Arch, Lora> one({.rank = 2});
  Matrix x(6, hidden);
  std::vector<std::size_t> bytes;
  for (auto const level : levels) {
    auto scope = one.arena.scope();
    std::size_t const before = one.arena.mark();
    (void)one.block->take(one.workspace, x.view(), level);
    bytes.push_back(one.arena.mark() - before);
  }
  CHECK(bytes[0] > bytes[1]);
  CHECK(bytes[1] > bytes[2]);
  CHECK(bytes[2] == 0);
}

TEST_CASE_TEMPLATE("block: a cached pass replaces x by the block's output and leaves the arena as it was", Arch, Llama, Gemma3) {
  Case<Arch, Frozen> one({});
  test::PackedPositions const where({5}, 4);
  Rng rng(8);
  Matrix x = Matrix::random(5, hidden, rng), expected(5, hidden);
  one.block->forward(one.workspace, where.get(), one.block->take(one.workspace, x.view(), Recompute::full), expected.view());
  std::vector<double> keys(5 * 4), values(5 * 4);
  CacheLayer<double> const cache{keys.data(), values.data(), 5};
  for (auto const& [begin, end] : {std::pair<Index, Index>{0, 3}, {3, 5}}) {
    std::size_t const mark = one.arena.mark();
    Positions<double> const part{{}, where.get().cos.rows_between(begin, end), where.get().sin.rows_between(begin, end)};
    CacheEntry const entry{0, 0, end - begin, end};
    one.block->forward_cached(one.workspace, part, cache, {&entry, 1}, x.view().rows_between(begin, end));
    CHECK(one.arena.mark() == mark);
  }
  CHECK(test::distance(x, expected) <= 1e-13);
}

TEST_CASE("block: names are the architecture's, in the order of a checkpoint's layer") {
  Case<Gemma3, FullFineTune> one({});
  std::vector<std::string> names, visited;
  for (auto const& param : one.params) names.push_back(param.name);
  one.block->visit([&](auto const& weight, auto) { visited.push_back(weight.name()); });
  CHECK(names == visited);
  CHECK(names == std::vector<std::string>{"b.input_layernorm.weight", "b.self_attn.q_proj.weight", "b.self_attn.k_proj.weight",
                                          "b.self_attn.v_proj.weight", "b.self_attn.o_proj.weight", "b.self_attn.q_norm.weight",
                                          "b.self_attn.k_norm.weight", "b.post_attention_layernorm.weight",
                                          "b.pre_feedforward_layernorm.weight", "b.mlp.gate_proj.weight", "b.mlp.up_proj.weight",
                                          "b.mlp.down_proj.weight", "b.post_feedforward_layernorm.weight"});
}
