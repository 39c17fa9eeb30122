// SPDX-License-Identifier: Apache-2.0
#include <graft/data/packing.hpp>

#include <doctest/doctest.h>
#include <graft/core/rng.hpp>
#include <graft/data/validate.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;
using Bins = std::vector<std::vector<Index>>;

TEST_CASE("packing: first-fit decreasing on cases done by hand") {
  auto const pack = [](std::vector<Index> const& sizes, Index budget) {
    return pack_first_fit_decreasing(sizes, budget);
  };
  CHECK(pack({}, 5).empty());
  CHECK(pack({5}, 5) == Bins{{0}});
  CHECK(pack({2, 5, 3, 4, 6}, 10) == Bins{{0, 1, 2}, {3, 4}});
  CHECK(pack({3, 3, 3}, 6) == Bins{{0, 1}, {2}});
  CHECK(pack({6, 6, 6}, 6) == Bins{{0}, {1}, {2}});
  CHECK(pack({1, 2, 3}, 6) == Bins{{0, 1, 2}});
  CHECK(message_of([&] {
          static_cast<void>(pack({3, 7}, 6));
        }) == "[data] each item of a packing must fit its budget: got 7 with a budget of 6");
}

TEST_CASE("packing: every item once, no bin too full, never two bins that would fit into one") {
  Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    Index const budget = 20 + static_cast<Index>(rng.below(80));
    std::vector<Index> sizes(rng.below(60));
    for (auto& size : sizes) size = 1 + static_cast<Index>(rng.below(static_cast<std::uint64_t>(budget)));
    auto const bins = pack_first_fit_decreasing(sizes, budget);
    std::vector<int> seen(sizes.size());
    std::vector<Index> loads;
    for (auto const& bin : bins) {
      REQUIRE_FALSE(bin.empty());
      CHECK(std::ranges::is_sorted(bin));
      Index load = 0;
      for (Index const item : bin) {
        ++seen[static_cast<std::size_t>(item)];
        load += sizes[static_cast<std::size_t>(item)];
      }
      CHECK(load <= budget);
      loads.push_back(load);
    }
    CHECK(std::ranges::all_of(seen, [](int n) { return n == 1; }));
    std::ranges::sort(loads);
    if (loads.size() >= 2) CHECK(loads[0] + loads[1] > budget);
  }
}

TEST_CASE("packing: supervised tokens become (row before it, its id), never across sequences") {
  Example const first{.ids = {10, 11, 12, 13}, .supervised = {{2, 4}}, .record = 7, .line = 8};
  Example const second{.ids = {20, 21, 22}, .supervised = {{0, 3}}, .record = 2, .line = 3};
  Example const third{.ids = {30, 31, 32, 33, 34}, .supervised = {{1, 2}, {4, 5}}, .record = 5, .line = 6};
  TokenBatch const batch = make_batch(std::vector{first, second, third});
  CHECK(batch.ids == std::vector<std::int32_t>{10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 33, 34});
  CHECK(batch.cu_seqlens == std::vector<std::int32_t>{0, 4, 7, 12});
  CHECK(batch.rows == std::vector<std::int32_t>{1, 2, 4, 5, 7, 10});
  CHECK(batch.targets == std::vector<std::int32_t>{12, 13, 21, 22, 31, 34});
  CHECK(batch.records == std::vector<Index>{7, 2, 5});
  CHECK(batch.weights.empty());
  CHECK(batch.normalizer == 6);
  CHECK_NOTHROW(validate(batch, 40));
}

TEST_CASE("example: the first token never counts, and truncation cuts the spans with the ids") {
  Example example{.ids = {1, 2, 3, 4, 5, 6}, .supervised = {{0, 2}, {4, 6}}, .record = 0, .line = 1};
  CHECK(example.supervised_tokens() == 3);
  CHECK_FALSE(example.truncate(6));
  CHECK(example.truncate(5));
  CHECK(example.ids == std::vector<std::int32_t>{1, 2, 3, 4, 5});
  CHECK(example.supervised == std::vector<TokenSpan>{{0, 2}, {4, 5}});
  CHECK(example.truncate(4));
  CHECK(example.supervised == std::vector<TokenSpan>{{0, 2}});
  CHECK(example.truncate(1));
  CHECK(example.supervised == std::vector<TokenSpan>{{0, 1}});
  CHECK(example.supervised_tokens() == 0);
}

TEST_CASE("example: keep_end moves the spans to where their tokens are") {
  Example example{.ids = {1, 2, 3, 4, 5, 6}, .supervised = {{0, 1}, {2, 4}}, .record = 0, .line = 1};
  CHECK(example.truncate(5, Truncation::keep_end));
  CHECK(example.ids == std::vector<std::int32_t>{2, 3, 4, 5, 6});
  CHECK(example.supervised == std::vector<TokenSpan>{{1, 3}});
  CHECK(example.truncate(3, Truncation::keep_end));
  CHECK(example.supervised == std::vector<TokenSpan>{{0, 1}});
  CHECK(example.truncate(2, Truncation::keep_end));
  CHECK(example.supervised.empty());
}

TEST_CASE("example: spans that touch become one, empty ones vanish") {
  std::vector<TokenSpan> spans;
  append_span(spans, 1, 1);
  append_span(spans, 1, 3);
  append_span(spans, 3, 5);
  append_span(spans, 7, 8);
  CHECK(spans == std::vector<TokenSpan>{{1, 5}, {7, 8}});
}
