// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace graft::detail {

/// A piece of a word on its way to being a token. Symbols form a list in the order of the text.
struct Symbol {
  std::int32_t id = -1;  ///< -1: not a token by itself
  Index begin = 0;       ///< bytes, within the word
  Index length = 0;      ///< 0: gone into its left neighbour
  Index previous = -1;
  Index next = -1;
};

/// What two neighbours would become; the lowest cost is merged first, of equal ones the leftmost.
struct MergeCandidate {
  double cost = 0;
  std::int32_t id = -1;
};

/// The rules of BPE by rank: (left, right) -> (rank, result), open addressing with linear probing.
class MergeTable {
 public:
  MergeTable() = default;
  explicit MergeTable(std::size_t count) : slots_(std::bit_ceil(2 * count + 2)) {}

  /// A pair that was there before gets the new rank.
  void insert(std::int32_t left, std::int32_t right, std::int32_t rank, std::int32_t result) {
    std::uint64_t const key = key_of(left, right);
    std::size_t slot = first_slot(key);
    while (slots_[slot].key != empty && slots_[slot].key != key) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = {key, rank, result};
  }

  [[nodiscard]] std::optional<MergeCandidate> find(std::int32_t left, std::int32_t right) const {
    if (slots_.empty() || left < 0 || right < 0) return std::nullopt;
    std::uint64_t const key = key_of(left, right);
    for (std::size_t slot = first_slot(key); slots_[slot].key != empty; slot = (slot + 1) & (slots_.size() - 1))
      if (slots_[slot].key == key) return MergeCandidate{static_cast<double>(slots_[slot].rank), slots_[slot].result};
    return std::nullopt;
  }

 private:
  static constexpr std::uint64_t empty = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = empty;
    std::int32_t rank = 0;
    std::int32_t result = -1;
  };

  [[nodiscard]] static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  [[nodiscard]] std::size_t first_slot(std::uint64_t key) const {
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15u) >> 20) & (slots_.size() - 1);
  }

  std::vector<Slot> slots_;
};

/// Merges neighbours, cheapest first, until no pair can be merged, in O(n log n), and drops the symbols that are gone.
/// `find(left, right)` returns an optional MergeCandidate for two neighbouring symbols.
template <class Find>
void merge_symbols(std::vector<Symbol>& symbols, Find const& find) {
  struct Entry {
    double cost;
    Index left;
    std::int32_t id;
  };
  auto const worse = [](Entry const& a, Entry const& b) {
    return a.cost != b.cost ? a.cost > b.cost : a.left > b.left;
  };
  auto const at = [&symbols](Index i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  auto const count = static_cast<Index>(symbols.size());
  std::vector<Entry> heap;
  auto const candidate = [&](Index left) {
    Index const right = at(left).next;
    auto const found = right < 0 ? std::nullopt : find(at(left), at(right));
    if (found) heap.push_back({found->cost, left, found->id});
    return found.has_value();
  };
  for (Index i = 0; i < count; ++i) {
    at(i).previous = i - 1;
    at(i).next = i + 1 < count ? i + 1 : -1;
  }
  for (Index i = 0; i < count; ++i) candidate(i);
  std::make_heap(heap.begin(), heap.end(), worse);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), worse);
    Entry const top = heap.back();
    heap.pop_back();
    Symbol& left = at(top.left);
    if (left.length == 0 || left.next < 0) continue;
    Symbol& right = at(left.next);
    auto const present = find(left, right);  // an entry is stale if either neighbour has changed since
    if (!present || present->id != top.id) continue;
    left.id = top.id;
    left.length += right.length;
    left.next = right.next;
    right.length = 0;
    if (right.next >= 0) at(right.next).previous = top.left;
    if (left.previous >= 0 && candidate(left.previous)) std::push_heap(heap.begin(), heap.end(), worse);
    if (candidate(top.left)) std::push_heap(heap.begin(), heap.end(), worse);
  }
  std::erase_if(symbols, [](Symbol const& s) { return s.length == 0; });
}

}  // namespace graft::detail
