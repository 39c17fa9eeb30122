// SPDX-License-Identifier: Apache-2.0
#include <graft/model/kv_cache.hpp>

#include <graft/backend/reference.hpp>

#include <support/tiny_model.hpp>

#include <doctest/doctest.h>

using namespace graft;

namespace {
constexpr Index slots = 3, capacity = 5, width = 8;  // 2 heads of 4 in the tiny model
}

TEST_CASE("kv_cache: every layer has keys and values of its own") {
  auto const config = test::tiny_config();
  Reference backend;
  KvCache<double, Reference> const cache(backend, config, slots, capacity);
  CHECK(cache.capacity() == capacity);
  REQUIRE(cache.layers().size() == 3);
  std::vector<double*> begins;
  for (auto const& layer : cache.layers()) {
    CHECK(layer.capacity == capacity);
    begins.push_back(layer.keys);
    begins.push_back(layer.values);
  }
  double number = 0;
  for (double* begin : begins)
    for (Index i = 0; i < slots * capacity * width; ++i) begin[i] = ++number;
  number = 0;
  bool kept = true;
  for (double* begin : begins)
    for (Index i = 0; i < slots * capacity * width; ++i) kept = kept && begin[i] == ++number;
  CHECK(kept);
  CHECK(KvCache<double, Reference>::bytes_per_token(config) == 2 * 3 * 2 * 4 * 8);
  CHECK(KvCache<float, Reference>::bytes_per_token(config) == 2 * 3 * 2 * 4 * 4);
}

TEST_CASE("kv_cache: copy_prefix copies the first tokens of one slot in every layer, and nothing else") {
  auto const config = test::tiny_config();
  Reference backend;
  KvCache<double, Reference> cache(backend, config, slots, capacity);
  auto const each = [&](auto&& f) {
    for (auto const& layer : cache.layers())
      for (double* begin : {layer.keys, layer.values})
        for (Index slot = 0; slot < slots; ++slot)
          for (Index token = 0; token < capacity; ++token)
            for (Index i = 0; i < width; ++i) f(begin, slot, token, begin[(slot * capacity + token) * width + i]);
  };
  double number = 0;
  each([&](double*, Index, Index, double& x) { x = ++number; });
  cache.copy_prefix(2, 0, 3);
  number = 0;
  bool right = true;
  each([&](double*, Index slot, Index token, double& x) {
    ++number;
    right = right && x == (slot == 0 && token < 3 ? number + 2 * capacity * width : number);
  });
  CHECK(right);
  cache.copy_prefix(1, 0, 0);
  CHECK(cache.layers()[0].keys[0] == 2 * capacity * width + 1);
}
