// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/full_fine_tune.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("full_fine_tune: trains every parameter and sits on no module") {
  FullFineTune const spec;
  for (char const* name : {"model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.bias", "lm_head.weight"})
    CHECK(trains_base_parameter(spec, name));
  CHECK_FALSE(spec.targets("model.layers.0.self_attn.q_proj"));
  CHECK(target_modules_of(spec) == nullptr);
}

TEST_CASE("full_fine_tune: frozen parameters are named in full, by suffix or by an expression") {
  FullFineTune const by_name{.frozen_parameters = {"embed_tokens.weight", "bias"}};
  CHECK_FALSE(by_name.trains("model.embed_tokens.weight"));
  CHECK_FALSE(by_name.trains("model.layers.0.self_attn.q_proj.bias"));
  CHECK(by_name.trains("model.layers.0.self_attn.q_proj.weight"));
  FullFineTune const by_pattern{.frozen_parameters = TargetModules::regex(R"(model\.layers\.[0-3]\..*)")};
  CHECK_FALSE(by_pattern.trains("model.layers.3.mlp.up_proj.weight"));
  CHECK(by_pattern.trains("model.layers.4.mlp.up_proj.weight"));
  CHECK(by_name != by_pattern);
  CHECK(by_name == FullFineTune{.frozen_parameters = {"embed_tokens.weight", "bias"}});
}
