// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/strict_targets.hpp>

#include <support/message_of.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {

std::vector<std::string> const modules{"m.0.q_proj", "m.0.k_proj", "m.1.q_proj", "m.1.k_proj"};

/// What check_targets says of a model with these modules.
std::string message(TargetModules const& targets) {
  std::vector<std::string> adapted;
  for (auto const& module : modules)
    if (targets.matches(module)) adapted.push_back(module);
  return test::message_of([&] { check_targets(targets, adapted, modules); });
}

}  // namespace

TEST_CASE("strict_targets: what hits something passes") {
  CHECK(message(all_linear) == "no error");
  CHECK(message({"q_proj"}) == "no error");
  CHECK(message({"q_proj", "1.k_proj"}) == "no error");
  CHECK(message(TargetModules::regex(".*q_proj")) == "no error");
}

TEST_CASE("strict_targets: each name that hits nothing is refused, though others hit, with the names there are") {
  CHECK(message({"q_proj", "vproj", "x"}) == "[target_modules] \"vproj\" matches no linear module of this model; it has q_proj, k_proj");
  CHECK(message({"2.q_proj"}) == "[target_modules] \"2.q_proj\" matches no linear module of this model; it has q_proj, k_proj");
  CHECK(message({"lm_head"}) == "[target_modules] \"lm_head\" matches no linear module of this model; it has q_proj, k_proj");
}

TEST_CASE("strict_targets: an expression or an empty list that hits nothing is refused") {
  CHECK(message(TargetModules::regex("q_proj")) ==
        "[target_modules] regex \"q_proj\" matches no linear module of this model; it has q_proj, k_proj");
  CHECK(message({}) == "[target_modules] none matches no linear module of this model; it has q_proj, k_proj");
}

TEST_CASE("strict_targets: names that hit modules which other settings leave out are said to be so") {
  CHECK(test::message_of([] { check_targets({"q_proj"}, {}, modules); }) ==
        "[target_modules] q_proj matches modules of this model, but other settings leave all of them out");
  CHECK(test::message_of([] { check_targets({"q_proj"}, {"m.1.q_proj"}, modules); }) == "no error");
}
