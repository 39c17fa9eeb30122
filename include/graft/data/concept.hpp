// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>
#include <graft/data/cursor.hpp>

#include <concepts>
#include <ranges>
#include <vector>

namespace graft {

/// Where training gets its batches from.
///   next_step(step)   makes the micro-batches of the next optimizer step, reusing the memory of those in `step`; each
///                     has as normalizer the weight of the whole step. Never empty; epochs follow each other endlessly;
///   epochs(n)         an input range of `Batch` for steps that are one batch; steps(n) the same of whole steps. Both
///                     run to the end of the n-th epoch counted from where the last finished range ended (`seek` does
///                     not change that count, so a resumed loop ends where the uninterrupted one does);
///   cursor(), seek()  the place behind what was taken last, and the return to it, exact to the record;
///   steps_per_epoch(e) how many optimizer steps epoch e has.
template <class D, class Batch>
concept DataSource = requires(D& data, D const& fixed, std::vector<Batch>& step, DataCursor const& cursor, Index n) {
  data.next_step(step);
  { data.epochs(n) } -> std::ranges::input_range;
  requires std::same_as<std::ranges::range_value_t<decltype(data.epochs(n))>, Batch>;
  { data.steps(n) } -> std::ranges::input_range;
  requires std::same_as<std::ranges::range_value_t<decltype(data.steps(n))>, std::vector<Batch>>;
  { fixed.cursor() } -> std::same_as<DataCursor>;
  data.seek(cursor);
  { fixed.steps_per_epoch(n) } -> std::same_as<Index>;
};

}  // namespace graft
