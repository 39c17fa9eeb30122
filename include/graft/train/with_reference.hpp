// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/concept.hpp>
#include <graft/data/cursor.hpp>
#include <graft/data/epoch_range.hpp>
#include <graft/train/reference_policy.hpp>

#include <utility>
#include <vector>

namespace graft {

/// A data source whose batches know what the reference thinks: `reference` fills `reference_logprobs` of each as it is taken.
/// Everything else is the source's own. Models `DataSource<PreferenceBatch>`.
///   auto judged = WithReference{pairs, reference};
template <class Data, class Policy>
class WithReference {
 public:
  /// Both are held by reference.
  WithReference(Data& source, Policy& reference) : source_(&source), reference_(&reference) {}

  [[nodiscard]] Data& source() { return *source_; }
  void next_step(std::vector<PreferenceBatch>& step) {
    source_->next_step(step);
    for (auto& batch : step) reference_->fill(batch);
  }
  [[nodiscard]] auto steps(Index n) {
    return filled(source_->steps(n), [this](std::vector<PreferenceBatch>& step) {
      for (auto& batch : step) reference_->fill(batch);
    });
  }
  [[nodiscard]] auto epochs(Index n) {
    return filled(source_->epochs(n), [this](PreferenceBatch& batch) { reference_->fill(batch); });
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
