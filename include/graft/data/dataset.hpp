// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/dataset_report.hpp>
#include <graft/data/example.hpp>
#include <graft/data/read_records.hpp>
#include <graft/data/record.hpp>
#include <graft/loss/token_batch.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace graft {

/// The examples of one file, all read and checked. Each has at least one supervised token.
class Dataset {
 public:
  using Batch = TokenBatch;

  /// Takes examples that were made elsewhere. Error: there are none, or one has nothing that is learnt.
  explicit Dataset(std::vector<Example> examples, DatasetReport report = {});

  [[nodiscard]] Index size() const { return static_cast<Index>(examples_.size()); }
  [[nodiscard]] Example const& operator[](Index i) const { return examples_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<Example> const& examples() const { return examples_; }
  [[nodiscard]] DatasetReport const& report() const { return report_; }
  [[nodiscard]] std::string const& path() const { return report_.path; }

  /// FNV-1a over all tokens and spans: tells whether a checkpoint's cursor belongs to this data.
  [[nodiscard]] std::uint64_t fingerprint() const;

 private:
  std::vector<Example> examples_;
  DatasetReport report_;
};

/// A record's tokens and which of them are learnt, before truncation; and what the report should mention of it.
struct SupervisedTokens {
  std::vector<std::int32_t> ids;
  std::vector<TokenSpan> supervised;
  bool merged_at_boundary = false;  ///< a token reaches across the prompt's end
  bool learns_other_roles = false;  ///< the completion holds turns that are not the assistant's
};

struct DatasetOptions {
  Index max_length = 1024;  ///< tokens; longer records are cut
  Truncation truncation = Truncation::keep_start;
  RecordOptions fields = {};
  LineReaderOptions lines = {};
};

namespace detail {

/// Cuts an example to the length limit, counts it, and keeps it if something is still learnt from it.
template <std::derived_from<Example> E>
void add_example(std::vector<E>& examples, DatasetReport& report, std::type_identity_t<E> example, Truncation truncation) {
  report.longest = std::max(report.longest, example.tokens());
  Index const before = example.tokens();
  if (example.truncate(report.max_length, truncation)) {
    ++report.truncated;
    report.tokens_cut += before - report.max_length;
  }
  Index const supervised = example.supervised_tokens();
  if (supervised == 0) {
    report.dropped_lines.push_back(example.line);
    return;
  }
  report.tokens += example.tokens();
  report.supervised_tokens += supervised;
  examples.push_back(std::move(example));
}

}  // namespace detail

/// Reads, checks and tokenises a JSONL file (plain or gzip); `tokenize(Record const&)` gives `SupervisedTokens`.
/// Error: one for all bad lines (at most 20), each with file, line and reason; a file without records; a file of which
/// truncation leaves nothing to learn.
template <class Tokenize>
[[nodiscard]] Dataset load_dataset(std::string const& path, Tokenize&& tokenize, DatasetOptions const& options = {}) {
  require(options.max_length >= 2, "data", "max_length must be at least 2: got ", options.max_length);
  DatasetReport report;
  report.path = path;
  report.max_length = options.max_length;
  std::vector<Example> examples;
  read_records(path, options.lines, report, [&](std::string const& line, Index record, Index line_number) {
    SupervisedTokens tokens = tokenize(parse_record(line, options.fields, report.ignored_keys));
    if (tokens.merged_at_boundary) report.merged_lines.push_back(line_number);
    if (tokens.learns_other_roles) ++report.user_turns_learnt;
    detail::add_example(examples, report, {std::move(tokens.ids), std::move(tokens.supervised), record, line_number},
                        options.truncation);
  });
  require(!examples.empty(), "data", path, ": no supervised token is left in any of ", report.records,
          " records, each cut to max_length=", options.max_length, " (longest ", report.longest, ")");
  return Dataset(std::move(examples), std::move(report));
}

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/dataset.tpp>
#endif
