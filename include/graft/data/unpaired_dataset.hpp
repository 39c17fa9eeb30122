// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/dataset.hpp>
#include <graft/data/dataset_report.hpp>
#include <graft/data/fingerprint.hpp>
#include <graft/data/preference_pair.hpp>
#include <graft/data/read_records.hpp>
#include <graft/data/unpaired_record.hpp>
#include <graft/loss/preference/unpaired_batch.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// One tokenised answer with its prompt in front. `record` numbers the answers of a file from 0: a pair has two.
struct UnpairedExample : Example {
  bool desirable = false;
  std::vector<std::int32_t> completion{};  ///< as long as it was before truncation: the end of mismatched sequences
};

/// Puts an answer behind the sequences of a batch.
inline void append_example(UnpairedBatch& batch, UnpairedExample const& example) { append_answer(batch, example, example.desirable); }

/// The judged answers of one file, all read and checked: each has at least one supervised token. Models `BatchSource`.
class UnpairedDataset {
 public:
  using Batch = UnpairedBatch;

  /// The examples' `record`s must rise.
  explicit UnpairedDataset(std::vector<UnpairedExample> examples, DatasetReport report = {})
      : examples_(std::move(examples)), report_(std::move(report)) {
    require(!examples_.empty(), "data", "a data set must have at least one answer");
    for (auto const& example : examples_)
      require(example.supervised_tokens() > 0, "data", "answer ", example.record, " (line ", example.line, ") has no supervised token");
  }

  [[nodiscard]] Index size() const { return static_cast<Index>(examples_.size()); }
  [[nodiscard]] UnpairedExample const& operator[](Index i) const { return examples_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<UnpairedExample> const& examples() const { return examples_; }
  [[nodiscard]] DatasetReport const& report() const { return report_; }
  [[nodiscard]] std::string const& path() const { return report_.path; }
  [[nodiscard]] Index desirable() const { return std::ranges::count_if(examples_, &UnpairedExample::desirable); }
  /// The answer of that number. Error: it was dropped, or never there.
  [[nodiscard]] UnpairedExample const& answer(Index record) const {
    auto const at = std::ranges::lower_bound(examples_, record, {}, &UnpairedExample::record);
    require(at != examples_.end() && at->record == record, "data", "answer ", record, " is not of ", path());
    return *at;
  }
  [[nodiscard]] std::uint64_t fingerprint() const {
    Fingerprint fingerprint;
    for (auto const& example : examples_) {
      fingerprint.mix(example);
      fingerprint.mix(Index{example.desirable});
    }
    return fingerprint.value();
  }

 private:
  std::vector<UnpairedExample> examples_;
  DatasetReport report_;
};

/// Puts the prompt of one answer with the completion of another behind the sequences of a batch, cut to `max_length` tokens
/// (0: not cut): what KTO's KL is estimated on.
inline void append_mismatched(UnpairedBatch& batch, UnpairedExample const& asked, UnpairedExample const& answered, Index max_length) {
  Index const prompt = asked.supervised.front().begin;
  Example example{{asked.ids.begin(), asked.ids.begin() + prompt}, {}, asked.record, asked.line};
  example.ids.insert(example.ids.end(), answered.completion.begin(), answered.completion.end());
  append_span(example.supervised, prompt, example.tokens());
  if (max_length > 0) example.truncate(max_length);
  append_answer(batch, example, asked.desirable);
}

struct UnpairedDatasetOptions {
  Index max_length = 1024;  ///< tokens of prompt and answer; longer ones are cut at their end
  UnpairedFields fields = {};
  LineReaderOptions lines = {};
};

/// Reads, checks and tokenises a JSONL file (plain or gzip); `tokenize(Record const&)` gives `SupervisedTokens`. An answer of which
/// truncation leaves nothing to learn is dropped, as in TRL, and named in the report. Errors: as `load_dataset`.
template <class Tokenize>
[[nodiscard]] UnpairedDataset load_unpaired_dataset(std::string const& path, Tokenize&& tokenize, UnpairedDatasetOptions const& options = {}) {
  require(options.max_length >= 2, "data", "max_length must be at least 2: got ", options.max_length);
  DatasetReport report;
  report.path = path;
  report.max_length = options.max_length;
  std::vector<UnpairedExample> examples;
  Index answers = 0;
  read_records(path, options.lines, report, [&](std::string const& line, Index, Index line_number) {
    for (auto const& [record, desirable] : parse_unpaired(line, options.fields, report.ignored_keys)) {
      SupervisedTokens tokens = tokenize(record);
      if (tokens.merged_at_boundary) report.merged_lines.push_back(line_number);
      UnpairedExample example{{std::move(tokens.ids), std::move(tokens.supervised), answers++, line_number}, desirable};
      if (!example.supervised.empty())
        example.completion.assign(example.ids.begin() + example.supervised.front().begin, example.ids.end());
      detail::add_example(examples, report, std::move(example), Truncation::keep_start);
    }
  });
  for (auto* lines : {&report.merged_lines, &report.dropped_lines})  // both answers of a pair stand in one line
    lines->erase(std::ranges::unique(*lines).begin(), lines->end());
  require(!examples.empty(), "data", path, ": no supervised token is left in any of ", answers, " answers, each cut to max_length=",
          options.max_length, " (longest ", report.longest, ")");
  return UnpairedDataset(std::move(examples), std::move(report));
}

}  // namespace graft
