// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/data/dataset.hpp>
#include <graft/data/dataset_report.hpp>
#include <graft/data/fingerprint.hpp>
#include <graft/data/preference_pair.hpp>
#include <graft/data/read_records.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// The pairs of one file, all read and checked: each answer has at least one supervised token. In the report, a record is a
/// pair, and tokens are those of both answers, a prompt that they share counted once. Models `BatchSource`.
class PreferenceDataset {
 public:
  using Batch = PreferenceBatch;

  explicit PreferenceDataset(std::vector<PreferencePair> pairs, DatasetReport report = {})
      : pairs_(std::move(pairs)), report_(std::move(report)) {
    require(!pairs_.empty(), "data", "a data set must have at least one pair");
    for (auto const& pair : pairs_)
      require(pair.chosen.supervised_tokens() > 0 && pair.rejected.supervised_tokens() > 0, "data", "pair ", pair.chosen.record,
              " (line ", pair.chosen.line, ") has an answer without a supervised token");
  }

  [[nodiscard]] Index size() const { return static_cast<Index>(pairs_.size()); }
  [[nodiscard]] PreferencePair const& operator[](Index i) const { return pairs_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<PreferencePair> const& examples() const { return pairs_; }
  [[nodiscard]] DatasetReport const& report() const { return report_; }
  [[nodiscard]] std::string const& path() const { return report_.path; }

  [[nodiscard]] std::uint64_t fingerprint() const {
    Fingerprint fingerprint;
    for (auto const& pair : pairs_) {
      fingerprint.mix(pair.chosen);
      fingerprint.mix(pair.rejected);
      fingerprint.mix(pair.shared);
    }
    return fingerprint.value();
  }

 private:
  std::vector<PreferencePair> pairs_;
  DatasetReport report_;
};

namespace detail {

/// Cuts both answers to the length limit, each for itself, counts that, and keeps the pair if both are still learnt.
inline void add_pair(std::vector<PreferencePair>& pairs, DatasetReport& report, PairTokens tokens, Index record, Index line,
                     Truncation truncation, bool share_prompts) {
  auto const make = [&](std::vector<std::int32_t> ids) {
    Example answer{std::move(ids), {}, record, line};
    append_span(answer.supervised, tokens.prompt_tokens, answer.tokens());
    return answer;
  };
  PreferencePair pair{make(std::move(tokens.chosen)), make(std::move(tokens.rejected)), line};
  report.longest = std::max({report.longest, pair.chosen.tokens(), pair.rejected.tokens()});
  Index const before = pair.tokens();
  bool const cut_chosen = pair.chosen.truncate(report.max_length, truncation);
  bool const cut_rejected = pair.rejected.truncate(report.max_length, truncation);
  if (cut_chosen || cut_rejected) {
    ++report.truncated;
    report.tokens_cut += before - pair.tokens();
  }
  if (pair.chosen.supervised_tokens() == 0 || pair.rejected.supervised_tokens() == 0) {
    report.dropped_lines.push_back(line);
    return;
  }
  if (share_prompts) pair.shared = shareable(pair.chosen, pair.rejected);
  report.tokens += pair.tokens();
  report.supervised_tokens += pair.chosen.supervised_tokens() + pair.rejected.supervised_tokens();
  pairs.push_back(std::move(pair));
}

}  // namespace detail

struct PreferenceDatasetOptions {
  Index max_length = 1024;  ///< tokens of prompt and answer; longer ones are cut
  Truncation truncation = Truncation::keep_start;
  bool share_prompts = true;  ///< what both answers begin with is computed once
  PreferenceFields fields = {};
  LineReaderOptions lines = {};
};

/// Reads, checks and tokenises a JSONL file (plain or gzip); `tokenize(PreferenceRecord const&)` gives `PairTokens`. A pair of
/// which truncation leaves nothing to learn in an answer is dropped, as in TRL, and named in the report.
/// Errors: as `load_dataset`.
template <class Tokenize>
[[nodiscard]] PreferenceDataset load_preference_dataset(std::string const& path, Tokenize&& tokenize,
                                                        PreferenceDatasetOptions const& options = {}) {
  require(options.max_length >= 2, "data", "max_length must be at least 2: got ", options.max_length);
  DatasetReport report;
  report.path = path;
  report.max_length = options.max_length;
  std::vector<PreferencePair> pairs;
  read_records(path, options.lines, report, [&](std::string const& line, Index record, Index line_number) {
    PairTokens tokens = tokenize(parse_preference(line, options.fields, report.ignored_keys));
    if (tokens.merged_at_boundary) report.merged_lines.push_back(line_number);
    detail::add_pair(pairs, report, std::move(tokens), record, line_number, options.truncation, options.share_prompts);
  });
  require(!pairs.empty(), "data", path, ": no supervised token is left in any of ", report.records, " pairs, each cut to max_length=",
          options.max_length, " (longest ", report.longest, ")");
  return PreferenceDataset(std::move(pairs), std::move(report));
}

}  // namespace graft
