// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/packing.hpp>

#include <graft/core/error.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>

namespace graft {

GRAFT_INLINE std::vector<std::vector<Index>> pack_first_fit_decreasing(std::span<Index const> sizes, Index budget) {
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

GRAFT_INLINE std::vector<std::vector<Index>> pack_best_fit_decreasing(std::span<Index const> sizes, Index budget) {
  std::vector<Index> order(sizes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](Index item) { return sizes[static_cast<std::size_t>(item)]; });
  std::vector<std::vector<Index>> bins;
  std::map<Index, std::deque<std::size_t>> with_room;
  for (Index const item : order) {
    Index const size = sizes[static_cast<std::size_t>(item)];
    require(size <= budget, "data", "each item of a packing must fit its budget: got ", size, " with a budget of ", budget);
    auto const place = with_room.lower_bound(size);
    bool const opened = place == with_room.end();
    std::size_t const bin = opened ? bins.size() : place->second.front();
    Index const room = opened ? budget : place->first;
    if (opened) {
      bins.emplace_back();
    } else {
      place->second.pop_front();
      if (place->second.empty()) with_room.erase(place);
    }
    bins[bin].push_back(item);
    if (room > size) with_room[room - size].push_back(bin);
  }
  return bins;
}

GRAFT_INLINE Index detail::common_prefix(std::span<std::int32_t const> a, std::span<std::int32_t const> b) {
  return std::ranges::mismatch(a, b).in1 - a.begin();
}

GRAFT_INLINE void note_prefix(TokenBatch& batch, Index shared) {
  if (shared == 0 && batch.prefix_tokens.empty()) return;
  batch.prefix_tokens.resize(static_cast<std::size_t>(batch.sequences()));
  batch.prefix_tokens.back() = static_cast<std::int32_t>(shared);
}

GRAFT_INLINE void append_example(TokenBatch& batch, Example const& example, Index shared) {
  constexpr Index limit = std::numeric_limits<std::int32_t>::max();
  Index const start = batch.tokens() - shared;
  require(example.tokens() <= limit - start, "data", "a batch holds at most ", limit, " tokens");
  if (batch.cu_seqlens.empty()) batch.cu_seqlens.push_back(0);
  batch.ids.insert(batch.ids.end(), example.ids.begin() + shared, example.ids.end());
  batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.tokens()));
  note_prefix(batch, shared);
  batch.records.push_back(example.record);
  for (TokenSpan const& span : example.supervised)
    for (Index position = std::max<Index>(span.begin, 1); position < span.end; ++position) {
      batch.rows.push_back(static_cast<std::int32_t>(start + position - 1));
      batch.targets.push_back(example.ids[static_cast<std::size_t>(position)]);
    }
}

}  // namespace graft
