// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/example.hpp>
#include <graft/loss/token_batch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace graft {

/// Splits items into bins of at most `budget` by first-fit decreasing: the largest first (equal ones in their order),
/// each into the first bin that has room. Uses at most 11/9·best + 6/9 bins. The items of a bin keep their order, and
/// the bins are sorted by their first item, so one bin is the items as given.
/// Each size ≤ budget. Source: Dósa, "The tight bound of first fit decreasing bin-packing algorithm", ESCAPE 2007.
[[nodiscard]] inline std::vector<std::vector<Index>> pack_first_fit_decreasing(std::span<Index const> sizes,
                                                                               Index budget) {
  std::vector<Index> order(sizes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  std::ranges::stable_sort(
      order, [&](Index a, Index b) { return sizes[static_cast<std::size_t>(a)] > sizes[static_cast<std::size_t>(b)]; });
  std::vector<std::vector<Index>> bins;
  std::vector<Index> room;
  for (Index const item : order) {
    Index const size = sizes[static_cast<std::size_t>(item)];
    require(size <= budget, "data", "each item of a packing must fit its budget: got ", size, " with a budget of ",
            budget);
    auto const place =
        static_cast<std::size_t>(std::ranges::find_if(room, [&](Index r) { return r >= size; }) - room.begin());
    if (place == room.size()) {
      bins.emplace_back();
      room.push_back(budget);
    }
    bins[place].push_back(item);
    room[place] -= size;
  }
  for (auto& bin : bins) std::ranges::sort(bin);
  std::ranges::sort(bins, {}, [](auto const& bin) { return bin.front(); });
  return bins;
}

/// Puts an example behind the sequences of a batch. Row and target of each supervised token are the position before it
/// and its id, so no prediction ever crosses from one sequence to the next. Does not touch `normalizer`.
inline void append_example(TokenBatch& batch, Example const& example) {
  constexpr Index limit = std::numeric_limits<std::int32_t>::max();
  Index const start = batch.tokens();
  require(example.tokens() <= limit - start, "data", "a batch holds at most ", limit, " tokens");
  if (batch.cu_seqlens.empty()) batch.cu_seqlens.push_back(0);
  batch.ids.insert(batch.ids.end(), example.ids.begin(), example.ids.end());
  batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.tokens()));
  batch.records.push_back(example.record);
  for (TokenSpan const& span : example.supervised)
    for (Index position = std::max<Index>(span.begin, 1); position < span.end; ++position) {
      batch.rows.push_back(static_cast<std::int32_t>(start + position - 1));
      batch.targets.push_back(example.ids[static_cast<std::size_t>(position)]);
    }
}

/// Packs whole examples, in this order, into one batch whose normalizer is its own weight.
template <class Examples>
[[nodiscard]] TokenBatch make_batch(Examples const& examples) {
  TokenBatch batch;
  for (Example const& example : examples) append_example(batch, example);
  batch.normalizer = batch.total_weight();
  return batch;
}

}  // namespace graft
