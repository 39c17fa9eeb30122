// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/frozen.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("frozen: sits on nothing and trains nothing") {
  Frozen const spec;
  for (char const* name : {"model.layers.0.self_attn.q_proj", "lm_head", ""}) {
    CHECK_FALSE(spec.targets(name));
    CHECK_FALSE(trains_base_parameter(spec, name));
  }
  CHECK(target_modules_of(spec) == nullptr);
  CHECK(spec == Frozen{});
}
