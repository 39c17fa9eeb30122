// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/batches.hpp>
#include <graft/data/dataset.hpp>
#include <graft/data/example.hpp>
#include <graft/data/fingerprint.hpp>
#include <graft/data/packing.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// Records that share a row: what a step counts as one record. Attention and predictions stay within each.
struct PackedRow {
  std::vector<Example> examples = {};
  Index line = 0;  ///< of the first

  [[nodiscard]] Index tokens() const {
    Index total = 0;
    for (Example const& example : examples) total += example.tokens();
    return total;
  }
};

inline void append_example(TokenBatch& batch, PackedRow const& row) {
  for (Example const& example : row.examples) append_example(batch, example);
}

/// A data set whose records are put together in rows of at most `length` tokens, as TRL's `packing=True` with the strategy "bfd" does:
/// best-fit decreasing, 1000 records at a time. Its other strategies cut records in the middle. Needs records of at most `length`
/// tokens. Source: "Fewer Truncations Improve Language Modeling" (arXiv 2404.10830), huggingface/trl, trl/data_utils.py.
class PackedDataset {
 public:
  using Batch = TokenBatch;
  static constexpr Index records_at_a_time = 1000;  ///< as TRL's `Dataset.map` hands them over

  PackedDataset(Dataset const& data, Index length) : report_(data.report()) {
    for (Index begin = 0; begin < data.size(); begin += records_at_a_time) {
      std::vector<Index> sizes;
      for (Index i = begin; i < std::min(begin + records_at_a_time, data.size()); ++i) sizes.push_back(data[i].tokens());
      for (auto const& bin : pack_best_fit_decreasing(sizes, length)) {
        PackedRow row{.line = data[begin + bin.front()].line};
        for (Index const i : bin) row.examples.push_back(data[begin + i]);
        rows_.push_back(std::move(row));
      }
    }
  }

  [[nodiscard]] Index size() const { return static_cast<Index>(rows_.size()); }
  [[nodiscard]] PackedRow const& operator[](Index i) const { return rows_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<PackedRow> const& examples() const { return rows_; }
  [[nodiscard]] DatasetReport const& report() const { return report_; }
  [[nodiscard]] std::string const& path() const { return report_.path; }
  [[nodiscard]] std::uint64_t fingerprint() const {
    Fingerprint fingerprint;
    for (PackedRow const& row : rows_) {
      fingerprint.mix(std::ssize(row.examples));
      for (Example const& example : row.examples) fingerprint.mix(example);
    }
    return fingerprint.value();
  }

 private:
  std::vector<PackedRow> rows_;
  DatasetReport report_;
};

/// The stream of packed rows.
using PackedBatches = BatchStream<PackedDataset>;

static_assert(DataSource<PackedBatches, TokenBatch>);

}  // namespace graft
