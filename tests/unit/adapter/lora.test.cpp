// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/lora.hpp>

#include <support/message_of.hpp>
#include <support/module_bench.hpp>
#include <support/plain_modules.hpp>

#include <doctest/doctest.h>

#include <limits>

using namespace graft;
using test::Matrix;

namespace {

using Layer = Lora::Layer<double, Reference>;

struct Case : test::ModuleBench<Lora> {
  explicit Case(Lora const& spec, Index in = 6, Index out = 5, Index number = 0)
      : test::ModuleBench<Lora>(spec), layer(adapter, LinearShape{"m.q_proj", in, out, number}, backend) {
    layer.append(params);
  }
  Matrix a() const { return Matrix::copy(params[0].value); }
  Matrix b() const { return Matrix::copy(params[1].value); }
  /// Gradients of Δ alone, for an input of 6 columns.
  void check(Matrix& x) {
    test::check_module(
        *this, params, x, 5,
        [&](In<double> in, Out<double> y) {
          std::fill_n(y.data, y.size(), 0.0);
          layer.forward(workspace, in, y);
        },
        [&](In<double> in, In<double> dy, Out<double> dx) { layer.backward(workspace, in, dy, dx); });
  }
  Layer layer;
  Params<double> params;
};

/// A layer whose Δ(x) is drop(x): A = B = identity, alpha = rank.
struct MaskCase : Case {
  explicit MaskCase(double dropout, Index width = 16, Index number = 0)
      : Case({.rank = width, .alpha = static_cast<double>(width), .dropout = dropout}, width, width, number) {
    for (auto const& param : params)
      for (Index i = 0; i < width * width; ++i) param.value.data[i] = i % (width + 1) == 0 ? 1 : 0;
    workspace.training = true;
    workspace.dropout_seed = 3;
    workspace.pass = 1;
  }
  Matrix mask(Index rows, Index width = 16) {
    Matrix y(rows, width);
    layer.forward(workspace, Matrix(rows, width, 1).view(), y.view());
    return y;
  }
};

}  // namespace

TEST_CASE("lora: A starts uniform in ±1/sqrt(in), B at zero; the seed and the module's number choose A") {
  Index const in = 64, rank = 16;
  Case const one({.rank = rank, .seed = 7}, in, 32);
  REQUIRE(one.params.size() == 2);
  CHECK(one.params[0].name == "m.q_proj.lora_A.weight");
  CHECK(one.params[0].shape == std::vector<Index>{rank, in});
  CHECK(one.params[1].name == "m.q_proj.lora_B.weight");
  CHECK(one.params[1].shape == std::vector<Index>{32, rank});
  CHECK(one.params[0].decay);
  CHECK(one.params[1].decay);
  CHECK(one.b() == Matrix(32, rank));
  double largest = 0, sum = 0, squares = 0;
  for (double const value : one.a().values) {
    largest = std::max(largest, std::abs(value));
    sum += value;
    squares += value * value;
  }
  double const bound = 1.0 / 8, count = 1024;
  CHECK(largest <= bound);
  CHECK(largest > 0.98 * bound);
  CHECK(std::abs(sum / count) < 4 * bound / std::sqrt(3 * count));
  CHECK(squares / count == doctest::Approx(bound * bound / 3).epsilon(0.1));
  CHECK(Case({.rank = rank, .seed = 7}, in, 32).a() == one.a());
  CHECK(Case({.rank = rank, .seed = 8}, in, 32).a() != one.a());
  CHECK(Case({.rank = rank, .seed = 7}, in, 32, 1).a() != one.a());
}

TEST_CASE("lora: the scaling is alpha/r, or alpha/sqrt(r) when rank-stabilised, and forward and gradients have it") {
  CHECK(Lora{.rank = 4, .alpha = 6}.scaling() == 1.5);
  CHECK(Lora{.rank = 4, .alpha = 6, .rank_stabilized = true}.scaling() == 3);
  CHECK(Lora{}.scaling() == 1);
  for (bool const stabilized : {false, true}) {
    Case one({.rank = 4, .alpha = 6, .rank_stabilized = stabilized});
    test::disturb(one.params);
    Rng rng(5);
    Matrix x = Matrix::random(7, 6, rng), y = Matrix::random(7, 5, rng);
    Matrix const before = y, delta = test::plain_linear(test::plain_linear(x, one.a()), one.b());
    one.layer.forward(one.workspace, x.view(), y.view());
    CHECK(test::distance(y, test::sum(before, delta, stabilized ? 3 : 1.5)) <= 1e-14);
    one.check(x);
    CHECK(one.arena.mark() == 0);
  }
}

TEST_CASE("lora: with dropout forward and backward use one mask, and the gradients are right") {
  Case one({.rank = 3, .alpha = 6, .dropout = 0.4});
  test::disturb(one.params);
  one.workspace.training = true;
  one.workspace.pass = 5;
  Rng rng(5);
  Matrix x = Matrix::random(7, 6, rng);
  one.check(x);
  MaskCase masked(0.3);
  Matrix dx(50, 16);
  masked.layer.backward(masked.workspace, Matrix(50, 16, 1).view(), Matrix(50, 16, 1).view(), dx.view());
  CHECK(dx == masked.mask(50));
}

TEST_CASE("lora: a mask drops the share it should, keeps the mean, and is its own for pass, module and seed") {
  for (double const p : {0.1, 0.5, 0.9}) {
    CAPTURE(p);
    MaskCase one(p);
    Matrix const mask = one.mask(500);
    double dropped = 0;
    for (double const value : mask.values) {
      if (value == 0) ++dropped;
      else CHECK(value == doctest::Approx(1 / (1 - p)).epsilon(1e-15));
    }
    double const count = 8000;
    CHECK(std::abs(dropped / count - p) < 4 * std::sqrt(p * (1 - p) / count));
    CHECK(one.mask(500) == mask);
    one.workspace.pass = 2;
    CHECK(one.mask(500) != mask);
    one.workspace.pass = 1;
    one.workspace.dropout_seed = 4;
    CHECK(one.mask(500) != mask);
    CHECK(MaskCase(p, 16, 1).mask(500) != mask);
    one.workspace.training = false;
    CHECK(one.mask(500) == Matrix(500, 16, 1));
  }
}

TEST_CASE("lora: merging equals the forward pass of the identity") {
  for (bool const stabilized : {false, true}) {
    Case one({.rank = 3, .alpha = 7, .dropout = 0.5, .rank_stabilized = stabilized});
    test::disturb(one.params);
    Rng rng(6);
    Matrix merged = Matrix::random(5, 6, rng), identity(6, 6), delta(6, 5);
    Matrix const before = merged;
    for (Index i = 0; i < 6; ++i) identity(i, i) = 1;
    one.layer.merge_into(one.workspace, merged.view());
    one.layer.forward(one.workspace, identity.view(), delta.view());
    for (Index o = 0; o < 5; ++o)
      for (Index i = 0; i < 6; ++i) CHECK(merged(o, i) - before(o, i) == doctest::Approx(delta(i, o)).epsilon(1e-13));
  }
}

TEST_CASE("lora: which parameters of the base are trained follows from bias and modules_to_save") {
  char const* const q_bias = "model.layers.0.self_attn.q_proj.bias";
  char const* const k_bias = "model.layers.0.self_attn.k_proj.bias";
  char const* const q_weight = "model.layers.0.self_attn.q_proj.weight";
  Lora spec{.target_modules = {"q_proj"}};
  for (char const* name : {q_bias, k_bias, q_weight, "model.norm.weight", "bias", "weight", ""}) CHECK_FALSE(spec.trains(name));
  spec.bias = TrainBias::lora_only;
  CHECK(spec.trains(q_bias));
  CHECK_FALSE(spec.trains(k_bias));
  CHECK_FALSE(spec.trains(q_weight));
  spec.bias = TrainBias::all;
  CHECK(spec.trains(q_bias));
  CHECK(spec.trains(k_bias));
  CHECK_FALSE(spec.trains(q_weight));

  spec = {.modules_to_save = {"norm", "lm_head", "layers.1.mlp.up_proj"}};
  for (char const* name : {"model.norm.weight", "lm_head.weight", "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.bias",
                           "model.norm.extra.weight"})
    CHECK(spec.trains(name));
  for (char const* name : {"model.layers.0.input_layernorm.weight", "model.layers.11.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight",
                           "xlm_head.weight", "norm"})
    CHECK_FALSE(spec.trains(name));
}

TEST_CASE("lora: bad hyper-parameters are named") {
  auto const message = [](Lora const& spec) { return test::message_of([&] { Case const one(spec); }); };
  CHECK(message({.rank = 5}) == "no error");
  CHECK(message({.rank = 6}) == "[lora] rank must be in 1..min(in, out): got rank=6 for m.q_proj of shape (5, 6)");
  CHECK(message({.rank = 0}) == "[lora] rank must be in 1..min(in, out): got rank=0 for m.q_proj of shape (5, 6)");
  CHECK(message({.rank = -3}) == "[lora] rank must be in 1..min(in, out): got rank=-3 for m.q_proj of shape (5, 6)");
  CHECK(message({.rank = 2, .dropout = 1}) == "[lora] dropout must be in [0, 1): got 1");
  CHECK(message({.rank = 2, .dropout = -0.1}) == "[lora] dropout must be in [0, 1): got -0.1");
  CHECK(message({.rank = 2, .dropout = std::numeric_limits<double>::quiet_NaN()}) == "[lora] dropout must be in [0, 1): got nan");
  CHECK(message({.rank = 2, .alpha = std::numeric_limits<double>::infinity()}) == "[lora] alpha must be finite: got inf");
}

TEST_CASE("lora: modules are left out by name, by layer and where they are trained whole") {
  Lora lora{.target_modules = {"q_proj", "up_proj"}, .exclude_modules = {"1.self_attn.q_proj"}, .layers_to_transform = {1, 2}};
  CHECK_FALSE(lora.targets("model.layers.0.self_attn.q_proj"));
  CHECK_FALSE(lora.targets("model.layers.1.self_attn.q_proj"));
  CHECK(lora.targets("model.layers.2.self_attn.q_proj"));
  CHECK(lora.targets("model.layers.1.mlp.up_proj"));
  CHECK_FALSE(lora.targets("model.layers.2.self_attn.k_proj"));
  CHECK_FALSE(lora.targets("q_proj"));  // in no layer
  lora.modules_to_save = {"mlp"};
  CHECK_FALSE(lora.targets("model.layers.1.mlp.up_proj"));
  CHECK(lora.trains("model.layers.1.mlp.up_proj.weight"));
  CHECK_FALSE(lora.trains("model.layers.1.self_attn.q_proj.weight"));
}

TEST_CASE("lora: the first pattern that fits gives a module its rank and alpha, and the layer has them") {
  Lora const lora{.rank = 4, .alpha = 8, .rank_pattern = {{"q_proj", 2}, {".*_proj", 3}}, .alpha_pattern = {{R"(1\.\w+)", 1}}};
  CHECK(lora.for_module("m.q_proj").rank == 2);
  CHECK(lora.for_module("m.k_proj").rank == 3);
  CHECK(lora.for_module("m.other").rank == 4);
  CHECK(lora.for_module("m.1.q_proj").alpha == 1);
  CHECK(lora.for_module("m.2.q_proj").alpha == 8);
  Case one({.rank = 4, .alpha = 6, .rank_pattern = {{"q_proj", 2}}, .alpha_pattern = {{"q_proj", 5}}});
  CHECK(one.params[0].shape[0] == 2);
  test::disturb(one.params);
  Rng rng(5);
  Matrix x = Matrix::random(7, 6, rng), y = Matrix::random(7, 5, rng);
  Matrix const before = y, delta = test::plain_linear(test::plain_linear(x, one.a()), one.b());
  one.layer.forward(one.workspace, x.view(), y.view());
  CHECK(test::distance(y, test::sum(before, delta, 2.5)) <= 1e-14);
  one.check(x);
}

TEST_CASE("lora: patterns and layers that fit no adapted module are refused") {
  std::vector<std::string> const adapted{"m.layers.0.q_proj", "m.layers.1.q_proj"};
  auto const said = [&](Lora const& lora) { return test::message_of([&] { lora.check(adapted); }); };
  CHECK(said({.layers_to_transform = {0, 1}, .rank_pattern = {{"q_proj", 1}}, .alpha_pattern = {{R"(layers\.1\..*)", 2}}}) == "no error");
  CHECK(said({.rank_pattern = {{"qproj", 1}}}) == "[rank_pattern] \"qproj\" matches none of the adapted modules");
  CHECK(said({.alpha_pattern = {{"proj", 1}}}) == "[alpha_pattern] \"proj\" matches none of the adapted modules");
  CHECK(said({.layers_to_transform = {1, 2}}) == "[layers_to_transform] layer 2 has none of the adapted modules");
  CHECK(said({.rank_pattern = {{"(", 1}}}).starts_with("[rank_pattern] \"(\" is not a regular expression: "));
}
