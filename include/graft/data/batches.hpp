// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/batch_plan.hpp>
#include <graft/data/concept.hpp>
#include <graft/data/cursor.hpp>
#include <graft/data/dataset.hpp>
#include <graft/data/epoch_range.hpp>
#include <graft/data/order.hpp>
#include <graft/data/packing.hpp>
#include <graft/loss/token_batch.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace graft {

/// A data set as a stream of optimizer steps: ordered, packed without padding, resumable. Models `DataSource`.
template <BatchSource Data>
class BatchStream {
 public:
  using Batch = typename Data::Batch;

  /// Error: options that contradict each other, or a record longer than tokens_per_batch.
  BatchStream(Data data, BatchOptions const& options) : data_(std::move(data)), options_(options) {
    validate(options_, data_);
    cursor_ = {options_.seed, 0, 0, data_.fingerprint() ^ static_cast<std::uint64_t>(options_.shuffle)};
    order_ = order_of(0);
  }

  [[nodiscard]] Data const& dataset() const { return data_; }
  [[nodiscard]] BatchOptions const& options() const { return options_; }
  [[nodiscard]] auto const& report() const { return data_.report(); }
  /// Cuts every later step into `count` micro-batches. Which records a step has does not change.
  void set_gradient_accumulation(Index count) {
    BatchOptions changed = options_;
    changed.gradient_accumulation = count;
    validate(changed, data_);
    options_ = changed;
  }
  /// Records that are trained on.
  [[nodiscard]] Index size() const { return data_.size(); }

  /// Optimizer steps of an epoch. With a token budget alone it depends on the epoch's order.
  [[nodiscard]] Index steps_per_epoch(Index epoch = 0) const {
    if (options_.batch_size > 0) return (size() + options_.batch_size - 1) / options_.batch_size;
    auto const order = order_of(epoch);
    Index steps = 0;
    for (Index at = 0; at < size(); at = step_end(data_, options_, order, at)) ++steps;
    return steps;
  }
  /// Optimizer steps of the first n epochs: what a schedule needs to know.
  [[nodiscard]] Index total_steps(Index epochs) const {
    if (options_.batch_size > 0 || !options_.shuffle) return epochs * steps_per_epoch();
    Index steps = 0;
    for (Index e = 0; e < epochs; ++e) steps += steps_per_epoch(e);
    return steps;
  }

  /// Makes the micro-batches of the next optimizer step and moves the cursor behind it. Goes on with the next epoch.
  void next_step(std::vector<Batch>& step) {
    Index const end = step_end(data_, options_, order_, cursor_.position);
    build_step(step, data_, plan_micro_batches(data_, options_, order_, cursor_.position, end));
    cursor_.position = end;
    if (end < size()) return;
    cursor_.position = 0;
    order_ = order_of(++cursor_.epoch);
  }
  [[nodiscard]] std::vector<Batch> next_step() {
    std::vector<Batch> step;
    next_step(step);
    return step;
  }

  /// Whole steps, to the end of the n-th epoch from where the last finished range ended. For gradient accumulation.
  [[nodiscard]] auto steps(Index n) {
    require(n >= 0, "data", "the number of epochs must not be negative: got ", n);
    return EpochRange<std::vector<Batch>, StepProducer>({this, finished_ + n});
  }
  /// The same as single batches. Error: the options allow a step of more than one micro-batch.
  [[nodiscard]] auto epochs(Index n) {
    require(n >= 0, "data", "the number of epochs must not be negative: got ", n);
    require(options_.gradient_accumulation == 1 && (options_.batch_size == 0 || options_.tokens_per_batch == 0), "data",
            "epochs() needs steps of one batch: with gradient_accumulation=", options_.gradient_accumulation,
            ", batch_size=", options_.batch_size, ", tokens_per_batch=", options_.tokens_per_batch,
            " a step may have several micro-batches: loop over steps()");
    return EpochRange<Batch, BatchProducer>({{this, finished_ + n}, {}});
  }

  /// The place of the next step: behind the one that was taken last.
  [[nodiscard]] DataCursor cursor() const { return cursor_; }
  /// Goes to a place that `cursor` named. Error: it belongs to other data or to another order.
  void seek(DataCursor const& cursor) {
    require(cursor.fingerprint == cursor_.fingerprint, "data", "the cursor belongs to other data than ", data_.path(),
            ", or to other tokens or another order of it: resume with the same file, tokenizer, length limit and "
            "shuffling");
    require(cursor.seed == options_.seed, "data", "the cursor belongs to another order: it has seed=", cursor.seed,
            ", this data has seed=", options_.seed);
    require(cursor.epoch >= 0 && cursor.position >= 0 && cursor.position < size(), "data",
            "a cursor must be at a record of 0..", size() - 1, ": got epoch=", cursor.epoch,
            ", position=", cursor.position);
    if (cursor.epoch != cursor_.epoch) order_ = order_of(cursor.epoch);
    cursor_ = cursor;
  }
  /// Back to the beginning, as newly made: for another round of an evaluation.
  void rewind() {
    finished_ = 0;
    seek({cursor_.seed, 0, 0, cursor_.fingerprint});
  }

 private:
  struct StepProducer {
    BatchStream* batches;
    Index last_epoch;
    bool operator()(std::vector<Batch>& step) const {
      if (batches->cursor_.epoch >= last_epoch) {
        batches->finished_ = last_epoch;
        return false;
      }
      batches->next_step(step);
      return true;
    }
  };
  struct BatchProducer {
    StepProducer produce;
    std::vector<Batch> step;
    bool operator()(Batch& batch) {
      if (step.size() == 1) std::swap(step.front(), batch);
      if (!produce(step)) return false;
      std::swap(step.front(), batch);
      return true;
    }
  };

  [[nodiscard]] std::vector<Index> order_of(Index epoch) const {
    return epoch_order(size(), options_.seed, epoch, options_.shuffle);
  }

  Data data_;
  BatchOptions options_;
  DataCursor cursor_;
  std::vector<Index> order_;
  Index finished_ = 0;  // epoch in which the last finished range ended
};

/// The stream of a data set of conversations or text.
using Batches = BatchStream<Dataset>;

static_assert(DataSource<Batches, TokenBatch>);

}  // namespace graft
