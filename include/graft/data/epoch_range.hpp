// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <cstddef>
#include <iterator>
#include <utility>

namespace graft {

/// The input range that `for (auto const& item : data.epochs(n))` runs over. `produce(item)` makes the next one into
/// the memory of the last, or says that there is none.
template <class Item, class Produce>
class EpochRange {
 public:
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(EpochRange* range) : range_(range) {}
    [[nodiscard]] Item const& operator*() const { return range_->item_; }
    [[nodiscard]] Item const* operator->() const { return &range_->item_; }
    Iterator& operator++() {
      range_->advance();
      return *this;
    }
    void operator++(int) { range_->advance(); }
    [[nodiscard]] bool done() const { return range_->done_; }
    friend bool operator==(Iterator const& it, std::default_sentinel_t) { return it.done(); }

   private:
    EpochRange* range_ = nullptr;
  };

  explicit EpochRange(Produce produce) : produce_(std::move(produce)) {}
  EpochRange(EpochRange&&) = default;
  EpochRange& operator=(EpochRange&&) = default;

  /// Takes the first item: call it once.
  [[nodiscard]] Iterator begin() {
    advance();
    return Iterator(this);
  }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  void advance() { done_ = !produce_(item_); }

  Produce produce_;
  Item item_;
  bool done_ = false;
};

}  // namespace graft
