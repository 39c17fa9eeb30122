// SPDX-License-Identifier: Apache-2.0
#include <graft/core/param.hpp>

#include <doctest/doctest.h>

using namespace graft;

TEST_CASE("param: elements are counted over all parameters; decay is the default") {
  std::vector<float> memory(100);
  Params<float> params;
  CHECK(count_elements(params) == 0);
  params.push_back({"w", {3, 4}, {memory.data(), 3, 4}, {memory.data() + 12, 3, 4}});
  params.push_back({"b", {5}, {memory.data() + 24, 1, 5}, {memory.data() + 29, 1, 5}, false});
  CHECK(count_elements(params) == 17);
  CHECK(params[0].decay);
  CHECK_FALSE(params[1].decay);
}
