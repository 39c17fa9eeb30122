// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/target_modules.hpp>

#include <support/message_of.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {
char const* const q0 = "model.layers.0.self_attn.q_proj";
char const* const q10 = "model.layers.10.self_attn.q_proj";
char const* const down = "model.layers.0.mlp.down_proj";
}  // namespace

TEST_CASE("target_modules: names match whole, or as a suffix that begins behind a dot") {
  TargetModules const modules{"q_proj", "mlp.down_proj", "lm_head"};
  for (char const* name : {q0, q10, down, "q_proj", "lm_head", "a.lm_head"}) CHECK(modules.matches(name));
  for (char const* name : {"model.layers.0.self_attn.k_proj", "model.xq_proj", "q_proj.x", "down_proj", "xmlp.down_proj", "", "proj", "q_proj."})
    CHECK_FALSE(modules.matches(name));
  CHECK(TargetModules{q0}.matches(q0));
  CHECK_FALSE(TargetModules{"layers.0.self_attn.q_proj"}.matches(q10));
  CHECK_FALSE(TargetModules{"0.self_attn.q_proj"}.matches(q10));
}

TEST_CASE("target_modules: a regular expression must match the whole name") {
  auto const modules = TargetModules::regex(R"(model\.layers\.(0|1)\..*q_proj)");
  CHECK(modules.matches(q0));
  CHECK_FALSE(modules.matches(q10));
  CHECK_FALSE(modules.matches("x.model.layers.0.self_attn.q_proj"));
  CHECK_FALSE(TargetModules::regex("q_proj").matches(q0));
  CHECK(TargetModules::regex("(?:.*[.])?q_proj").matches(q0));
  CHECK(test::message_of([] { (void)TargetModules::regex("(").matches(q0); })
            .starts_with("[target_modules] \"(\" is not a regular expression: "));
  CHECK(test::message_of([] { (void)TargetModules::regex("*").matches(q0); })
            .starts_with("[target_modules] \"*\" is not a regular expression: "));
}

TEST_CASE("target_modules: patterns that make a backtracking search explode end at once") {
  for (char const* pattern : {"(.*)*x", "(.+)+x", "((a|.)*)*x", "([a-z._0-9]+)+x", "(.*)*(.*)*(.*)*x"}) {
    CAPTURE(pattern);
    CHECK_FALSE(TargetModules::regex(pattern).matches(q10));
  }
  CHECK(TargetModules::regex("(.*)*q_proj").matches(q10));
  CHECK(TargetModules::regex(R"((?!.*mlp)model\.layers\.(?:[0-9]|1[0-9])\..*(?:q|v)_proj)").matches(q10));
  CHECK_FALSE(TargetModules::regex("(?!.*mlp).*").matches(down));
  CHECK(test::message_of([] { (void)TargetModules::regex("((a{1000}){1000}){1000}").matches(q0); }).find("is not a regular expression: ") !=
        std::string::npos);
}

TEST_CASE("target_modules: all_linear is everything but the head; nothing matches nothing") {
  TargetModules const all = all_linear;
  CHECK(all.is_all_linear());
  CHECK(all.matches(q0));
  CHECK(all.matches("anything"));
  CHECK_FALSE(all.matches("lm_head"));
  CHECK_FALSE(all.matches("language_model.lm_head"));
  CHECK(all.matches("xlm_head"));
  CHECK_FALSE(all.empty());
  TargetModules const none;
  CHECK(none.empty());
  CHECK_FALSE(none.matches(q0));
  CHECK_FALSE(none.matches(""));
}

TEST_CASE("target_modules: the three kinds compare, and say what they are") {
  TargetModules const all = all_linear, names{"q_proj", "v_proj"}, pattern = TargetModules::regex("q_proj");
  CHECK(all == TargetModules(AllLinear{}));
  CHECK(names == TargetModules(std::vector<std::string>{"q_proj", "v_proj"}));
  CHECK(names != TargetModules{"v_proj", "q_proj"});
  CHECK(pattern != TargetModules{"q_proj"});
  CHECK(all != names);
  CHECK(all != TargetModules{});
  CHECK(all.text() == "all-linear");
  CHECK(names.text() == "q_proj, v_proj");
  CHECK(pattern.text() == "regex \"q_proj\"");
  CHECK(TargetModules{}.text() == "none");
  CHECK(names.names().size() == 2);
  CHECK(pattern.pattern() == "q_proj");
}
