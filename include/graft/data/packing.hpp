// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/example.hpp>
#include <graft/loss/token_batch.hpp>

#include <span>
#include <vector>

namespace graft {

/// Splits items into bins of at most `budget` by first-fit decreasing: the largest first (equal ones in their order),
/// each into the first bin that has room. Uses at most 11/9·best + 6/9 bins. The items of a bin keep their order, and
/// the bins are sorted by their first item, so one bin is the items as given.
/// Each size ≤ budget. Source: Dósa, "The tight bound of first fit decreasing bin-packing algorithm", ESCAPE 2007.
[[nodiscard]] std::vector<std::vector<Index>> pack_first_fit_decreasing(std::span<Index const> sizes, Index budget);

/// Splits items into bins of at most `budget` by best-fit decreasing, exactly as TRL's packing does: the largest first (equal ones in
/// their order), each into the bin whose room is the least that suffices, of several into the one that has had it longest. Bins
/// stand in the order in which they were opened, their items in the order in which they came. 1 ≤ each size ≤ budget.
[[nodiscard]] std::vector<std::vector<Index>> pack_best_fit_decreasing(std::span<Index const> sizes, Index budget);

namespace detail {

/// Length of what both have in common at the beginning.
[[nodiscard]] Index common_prefix(std::span<std::int32_t const> a, std::span<std::int32_t const> b);

}  // namespace detail

/// Says of the sequence that was appended last how many of its tokens it shares (see `TokenBatch::prefix_tokens`).
void note_prefix(TokenBatch& batch, Index shared);

/// Puts an example behind the sequences of a batch. Row and target of each supervised token are the position before it
/// and its id, so no prediction ever crosses from one sequence to the next. Its first `shared` tokens are those of the last example
/// that shared none, and are not put there again; what is supervised comes behind them and one token more. Does not touch
/// `normalizer`.
void append_example(TokenBatch& batch, Example const& example, Index shared = 0);

/// Packs whole examples, in this order, into one batch whose normalizer is its own weight.
template <class Examples>
[[nodiscard]] TokenBatch make_batch(Examples const& examples) {
  TokenBatch batch;
  for (Example const& example : examples) append_example(batch, example);
  batch.normalizer = batch.total_weight();
  return batch;
}

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/packing.tpp>
#endif
