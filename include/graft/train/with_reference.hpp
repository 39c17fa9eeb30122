// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/concept.hpp>
#include <graft/data/cursor.hpp>
#include <graft/data/epoch_range.hpp>
#include <graft/train/reference_policy.hpp>

#include <ranges>
#include <span>
#include <utility>
#include <vector>

namespace graft {

/// A data source whose batches know what the reference thinks: `reference.fill(step)` completes the batches of each step as it is
/// taken (a `ReferencePolicy`, or what adds more to that: `KtoReference`, `BcoReference`). Everything else is the source's own.
/// Models `DataSource` of the source's batches.
///   auto judged = WithReference{pairs, reference};
template <class Data, class Policy>
class WithReference {
 public:
  using Batch = typename Data::Batch;

  /// Both are held by reference.
  WithReference(Data& source, Policy& reference) : source_(&source), reference_(&reference) {}

  [[nodiscard]] Data& source() { return *source_; }
  void next_step(std::vector<Batch>& step) {
    source_->next_step(step);
    reference_->fill(std::span<Batch>(step));
  }
  [[nodiscard]] auto steps(Index n) {
    return filled(source_->steps(n), [this](std::vector<Batch>& step) { reference_->fill(std::span<Batch>(step)); });
  }
  [[nodiscard]] auto epochs(Index n) {
    return filled(source_->epochs(n), [this](Batch& batch) { reference_->fill(std::span<Batch>(&batch, 1)); });
  }
  [[nodiscard]] DataCursor cursor() const { return source_->cursor(); }
  void seek(DataCursor const& cursor) { source_->seek(cursor); }
  [[nodiscard]] Index steps_per_epoch(Index epoch = 0) const { return source_->steps_per_epoch(epoch); }

 private:
  template <class Range, class Fill>
  struct Producer {
    Range range;
    Fill fill;
    bool begun = false;
    bool operator()(std::ranges::range_value_t<Range>& item) {
      if (!begun) at = range.begin();
      else ++at;
      begun = true;
      if (at == range.end()) return false;
      item = *at;
      fill(item);
      return true;
    }
    std::ranges::iterator_t<Range> at{};
  };
  template <class Range, class Fill>
  [[nodiscard]] static auto filled(Range range, Fill fill) {
    return EpochRange<std::ranges::range_value_t<Range>, Producer<Range, Fill>>({std::move(range), std::move(fill)});
  }

  Data* source_;
  Policy* reference_;
};

}  // namespace graft
