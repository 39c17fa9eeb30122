// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/module_pattern.hpp>

#include <support/message_of.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("module_pattern: a key is the name or its end after a dot, as an expression") {
  auto const matches = [](std::string_view module, std::string const& key) { return matches_pattern_key(module, key, "x"); };
  CHECK(matches("q_proj", "q_proj"));
  CHECK(matches("m.0.q_proj", "q_proj"));
  CHECK(matches("m.0.q_proj", R"(0\.q_proj)"));
  CHECK(matches("m.0.q_proj", "[qk]_proj|o_proj"));
  CHECK_FALSE(matches("m.0.q_proj", "proj"));
  CHECK_FALSE(matches("m.0.q_proj", "q_pro"));
  CHECK_FALSE(matches("m.0.q_proj.lora", "q_proj"));
  CHECK(test::message_of([&] { (void)matches("m", "a("); }).starts_with("[x] \"a(\" is not a regular expression: "));
}

TEST_CASE("module_pattern: the layer is the first number in the middle of a name, or the one behind a pattern") {
  using Layer = std::optional<Index>;
  CHECK(layer_of_module("model.layers.3.self_attn.q_proj", {}) == Layer(3));
  CHECK(layer_of_module("model.layers.12.experts.5.up_proj", {}) == Layer(12));
  CHECK(layer_of_module("layers.3.q_proj", {}) == std::nullopt);  // PEFT wants something before the list's name
  CHECK(layer_of_module("model.layers.3", {}) == std::nullopt);
  CHECK(layer_of_module("lm_head", {}) == std::nullopt);
  CHECK(layer_of_module("layers.3.q_proj", {"layers"}) == Layer(3));
  CHECK(layer_of_module("model.layers.12.experts.5.up_proj", {"experts"}) == Layer(5));
  CHECK(layer_of_module("model.layers.12.experts.5.up_proj", {"h", "(lay|x)ers"}) == Layer(12));
  CHECK(layer_of_module("model.layers.12.q_proj", {"h"}) == std::nullopt);
  CHECK(layer_of_module("model.players.12.q_proj", {"layers"}) == std::nullopt);
}

TEST_CASE("module_pattern: a module lies within another by whole parts of its name") {
  CHECK(lies_within("model.embed_tokens", "embed_tokens"));
  CHECK(lies_within("lm_head", "lm_head"));
  CHECK(lies_within("model.layers.0.mlp.up_proj", "mlp"));
  CHECK(lies_within("model.layers.0.mlp.up_proj", "0.mlp"));
  CHECK_FALSE(lies_within("model.layers.0.mlp.up_proj", "up"));
  CHECK_FALSE(lies_within("model.layers.10.mlp", "0.mlp"));
  CHECK_FALSE(lies_within("model", ""));
}

TEST_CASE("module_pattern: an expression matches the whole name or not at all, in polynomial time") {
  CHECK(matches_whole("m.q_proj", R"(m\..*)", "x"));
  CHECK_FALSE(matches_whole("m.q_proj", "m", "x"));
  CHECK_FALSE(matches_whole(std::string(60, 'a') + "b", "(a*)*c", "x"));
}
