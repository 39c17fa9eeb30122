// SPDX-License-Identifier: Apache-2.0
#include <graft/data/packed_dataset.hpp>

#include <doctest/doctest.h>
#include <graft/core/rng.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <numeric>
#include <vector>

// tests/parity/sft_data.test.cpp compares the rows with TRL's.

using namespace graft;
using Bins = std::vector<std::vector<Index>>;

namespace {

Dataset records_of(std::vector<Index> const& lengths) {
  std::vector<Example> examples;
  for (Index const length : lengths) {
    auto const number = static_cast<Index>(examples.size());
    examples.push_back({std::vector<std::int32_t>(static_cast<std::size_t>(length), static_cast<std::int32_t>(number)), {{1, length}}, number, number + 1});
  }
  return Dataset(std::move(examples));
}

}  // namespace

TEST_CASE("packing: best-fit decreasing on cases done by hand") {
  auto const pack = [](std::vector<Index> const& sizes, Index budget) { return pack_best_fit_decreasing(sizes, budget); };
  CHECK(pack({}, 5).empty());
  CHECK(pack({5}, 5) == Bins{{0}});
  CHECK(pack({6, 7, 2, 3}, 10) == Bins{{1, 3}, {0, 2}});
  CHECK(pack({6, 6, 2, 3}, 10) == Bins{{0, 3}, {1, 2}});
  CHECK(test::message_of([&] { static_cast<void>(pack({3, 7}, 6)); }) == "[data] each item of a packing must fit its budget: got 7 with a budget of 6");
}

TEST_CASE("packed data: every record once, in rows that fit, and steps of rows that can be resumed") {
  Rng rng(5);
  std::vector<Index> lengths(2300);
  for (auto& length : lengths) length = 2 + static_cast<Index>(rng.below(60));
  PackedDataset const data(records_of(lengths), 64);
  std::vector<int> seen(lengths.size());
  for (PackedRow const& row : data.examples()) {
    CHECK(row.tokens() <= 64);
    CHECK(row.line == row.examples.front().line);
    for (Example const& example : row.examples) {
      ++seen[static_cast<std::size_t>(example.record)];
      CHECK(example.record / PackedDataset::records_at_a_time == row.examples.front().record / PackedDataset::records_at_a_time);
    }
  }
  CHECK(std::ranges::all_of(seen, [](int n) { return n == 1; }));

  PackedBatches batches(data, {.batch_size = 4, .seed = 3});
  CHECK(batches.steps_per_epoch() == (data.size() + 3) / 4);
  static_cast<void>(batches.next_step());
  auto const cursor = batches.cursor();
  auto const next = batches.next_step();
  PackedBatches again(data, {.batch_size = 4, .seed = 3});
  again.seek(cursor);
  CHECK(again.next_step().front().ids == next.front().ids);
  Index const total = std::accumulate(lengths.begin(), lengths.end(), Index{0});
  CHECK(std::accumulate(data.examples().begin(), data.examples().end(), Index{0}, [](Index sum, PackedRow const& row) { return sum + row.tokens(); }) == total);
}
