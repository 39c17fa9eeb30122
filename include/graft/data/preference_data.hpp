// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/concept.hpp>
#include <graft/data/cursor.hpp>
#include <graft/data/epoch_range.hpp>
#include <graft/data/order.hpp>
#include <graft/data/preference_dataset.hpp>
#include <graft/text/chat_format.hpp>
#include <graft/text/tokenizer.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace graft {

struct PreferenceDataOptions {
  Index batch_size = 0;             ///< pairs of an optimizer step; must be given
  Index gradient_accumulation = 1;  ///< micro-batches of a step, of equally many pairs (±1)
  Index max_length = 1024;          ///< tokens of prompt and answer; longer ones are cut, and counted
  Truncation truncation = Truncation::keep_start;
  std::uint64_t seed = 0;  ///< of the order
  bool shuffle = true;     ///< a new order each epoch; else the file's
  PreferenceFields fields = {};
  std::optional<ChatFormat> chat_format = std::nullopt;  ///< else the one of the tokenizer's template
};

/// A JSONL file of preferences as a stream of optimizer steps: ordered by seed, packed without padding, resumable. A pair is
/// never divided between micro-batches. Models `DataSource<PreferenceBatch>`.
///   auto data = PreferenceData{"pairs.jsonl", model.tokenizer(), {.batch_size = 4, .seed = 7}};
class PreferenceData {
 public:
  /// Error: one for all bad lines, each with file, line and reason; options that contradict each other.
  PreferenceData(std::string const& path, Tokenizer const& tokenizer, PreferenceDataOptions const& options)
      : PreferenceData(load(path, tokenizer, options), options) {}
  PreferenceData(PreferenceDataset data, PreferenceDataOptions options) : data_(std::move(data)), options_(std::move(options)) {
    require(options_.batch_size >= 1, "data", "batch_size, the pairs of a step, must be at least 1: got ", options_.batch_size);
    set_gradient_accumulation(options_.gradient_accumulation);
    cursor_ = {options_.seed, 0, 0, data_.fingerprint() ^ static_cast<std::uint64_t>(options_.shuffle)};
    order_ = order_of(0);
  }

  [[nodiscard]] PreferenceDataset const& dataset() const { return data_; }
  [[nodiscard]] PreferenceDataOptions const& options() const { return options_; }
  [[nodiscard]] DatasetReport const& report() const { return data_.report(); }
  [[nodiscard]] Index size() const { return data_.size(); }
  /// Cuts every later step into `count` micro-batches. Which pairs a step has does not change.
  void set_gradient_accumulation(Index count) {
    require(count >= 1 && count <= options_.batch_size, "data", "gradient_accumulation must be in 1..batch_size: got ", count,
            " with batch_size=", options_.batch_size);
    options_.gradient_accumulation = count;
  }
  [[nodiscard]] Index steps_per_epoch(Index = 0) const { return (size() + options_.batch_size - 1) / options_.batch_size; }
  [[nodiscard]] Index total_steps(Index epochs) const { return epochs * steps_per_epoch(); }

  /// Makes the micro-batches of the next optimizer step and moves the cursor behind it. Goes on with the next epoch.
  void next_step(std::vector<PreferenceBatch>& step) {
    Index const begin = cursor_.position, count = std::min(options_.batch_size, size() - begin);
    Index const parts = std::min(options_.gradient_accumulation, count);
    step.resize(static_cast<std::size_t>(parts));
    double chosen_tokens = 0;
    for (Index part = 0; part < parts; ++part) {
      auto& batch = step[static_cast<std::size_t>(part)];
      clear(batch);
      for (Index i = begin + part * count / parts; i < begin + (part + 1) * count / parts; ++i) {
        auto const& pair = data_[order_[static_cast<std::size_t>(i)]];
        append_pair(batch, pair);
        chosen_tokens += static_cast<double>(pair.chosen.supervised_tokens());
      }
    }
    for (auto& batch : step) {
      batch.normalizer = static_cast<double>(count);
      batch.chosen_tokens = chosen_tokens;
    }
    cursor_.position += count;
    if (cursor_.position < size()) return;
    cursor_.position = 0;
    order_ = order_of(++cursor_.epoch);
  }

  /// Whole steps, to the end of the n-th epoch from where the last finished range ended.
  [[nodiscard]] auto steps(Index n) {
    require(n >= 0, "data", "the number of epochs must not be negative: got ", n);
    return EpochRange<std::vector<PreferenceBatch>, StepProducer>({this, finished_ + n});
  }
  /// The same as single batches. Error: a step has more than one micro-batch.
  [[nodiscard]] auto epochs(Index n) {
    require(n >= 0, "data", "the number of epochs must not be negative: got ", n);
    require(options_.gradient_accumulation == 1, "data", "epochs() needs steps of one batch: with gradient_accumulation=",
            options_.gradient_accumulation, " loop over steps()");
    return EpochRange<PreferenceBatch, BatchProducer>({{this, finished_ + n}, {}});
  }

  /// The place of the next step: behind the one that was taken last.
  [[nodiscard]] DataCursor cursor() const { return cursor_; }
  /// Goes to a place that `cursor` named. Error: it belongs to other data or to another order.
  void seek(DataCursor const& cursor) {
    require(cursor.fingerprint == cursor_.fingerprint && cursor.seed == options_.seed, "data", "the cursor belongs to other data than ",
            data_.path(), ", or to another order of it: resume with the same file, tokenizer, length limit, seed and shuffling");
    require(cursor.epoch >= 0 && cursor.position >= 0 && cursor.position < size(), "data", "a cursor must be at a pair of 0..",
            size() - 1, ": got epoch=", cursor.epoch, ", position=", cursor.position);
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
    PreferenceData* data;
    Index last_epoch;
    bool operator()(std::vector<PreferenceBatch>& step) const {
      if (data->cursor_.epoch >= last_epoch) {
        data->finished_ = last_epoch;
        return false;
      }
      data->next_step(step);
      return true;
    }
  };
  struct BatchProducer {
    StepProducer produce;
    std::vector<PreferenceBatch> step;
    bool operator()(PreferenceBatch& batch) {
      if (step.size() == 1) std::swap(step.front(), batch);
      if (!produce(step)) return false;
      std::swap(step.front(), batch);
      return true;
    }
  };

  [[nodiscard]] static PreferenceDataset load(std::string const& path, Tokenizer const& tokenizer, PreferenceDataOptions const& options) {
    std::optional<ChatFormat> format = options.chat_format;
    auto const tokenize = [&](PreferenceRecord const& record) {
      if (std::holds_alternative<PreferenceChat>(record) && !format) format = ChatFormat::recognise(tokenizer.spec());
      return tokenize_pair(record, tokenizer, format ? &*format : nullptr);
    };
    return load_preference_dataset(path, tokenize,
                                   {.max_length = options.max_length, .truncation = options.truncation, .fields = options.fields});
  }
  [[nodiscard]] std::vector<Index> order_of(Index epoch) const { return epoch_order(size(), options_.seed, epoch, options_.shuffle); }

  PreferenceDataset data_;
  PreferenceDataOptions options_;
  DataCursor cursor_;
  std::vector<Index> order_;
  Index finished_ = 0;  // epoch in which the last finished range ended
};

static_assert(DataSource<PreferenceData, PreferenceBatch>);

}  // namespace graft
