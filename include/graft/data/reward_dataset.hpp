// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/fingerprint.hpp>
#include <graft/data/packing.hpp>
#include <graft/loss/reward/reward_batch.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace graft {

/// One tokenised record: answers from best to worst.
struct RewardExample {
  std::vector<std::vector<std::int32_t>> answers;
  std::vector<std::int32_t> ranks;  ///< as in `RewardBatch`
  float margin = 0;
  std::int32_t source = -1;  ///< its number in the data set's list
  Index record = 0;          ///< which record of the file it is, from 0
  Index line = 0;            ///< where it stands in the file, from 1
  std::vector<Index> shared{};  ///< first tokens of each answer that a batch has in the first one only; empty: none

  /// As they lie in a batch.
  [[nodiscard]] Index tokens() const {
    Index total = 0;
    for (auto const& answer : answers) total += static_cast<Index>(answer.size());
    for (Index const tokens : shared) total -= tokens;
    return total;
  }
  /// Lets a batch have what the other answers begin with in common with the first one only once; the last token stays each one's own.
  void share() {
    shared.assign(answers.size(), 0);
    for (std::size_t i = 1; i < answers.size(); ++i)
      shared[i] = std::clamp<Index>(detail::common_prefix(answers.front(), answers[i]), 0, std::ssize(answers[i]) - 1);
  }
  [[nodiscard]] Index longest() const {
    std::size_t longest = 0;
    for (auto const& answer : answers) longest = std::max(longest, answer.size());
    return static_cast<Index>(longest);
  }
  /// Pairs of a better and a worse answer.
  [[nodiscard]] Index pairs() const {
    Index count = 0;
    for (std::size_t i = 0; i < ranks.size(); ++i)
      count += std::count_if(ranks.begin() + static_cast<Index>(i), ranks.end(), [&](auto rank) { return rank > ranks[i]; });
    return count;
  }
};

/// What was read from a file of preferences and what became of it.
struct RewardReport {
  std::string path;
  Index records = 0;  ///< in the file
  Index groups = 0, answers = 0, pairs = 0, tokens = 0;  ///< of what is kept
  Index longest = 0;  ///< tokens of the longest answer with its prompt, of all records
  Index max_length = 0;
  std::vector<Index> too_long_lines;    ///< records with an answer of more than max_length tokens: left out, as TRL does
  std::vector<Index> undecided_lines;   ///< records of which no answer is better than another: left out
  std::vector<Index> identical_lines;   ///< records whose better and worse answer are the same tokens: kept, as TRL does
  Index blank_lines = 0;
  std::set<std::string> ignored_keys;
};

namespace detail {

[[nodiscard]] inline std::string first_lines(std::vector<Index> const& lines) {
  constexpr std::size_t limit = 10;
  std::string list = std::to_string(lines.size()) + (lines.size() == 1 ? " record, line" : " records, lines");
  for (std::size_t i = 0; i < std::min(lines.size(), limit); ++i) list += (i == 0 ? " " : ", ") + std::to_string(lines[i]);
  return lines.size() > limit ? list + ", …" : list;
}

}  // namespace detail

/// A few lines for people; a line for each thing that did not happen is left out.
inline std::ostream& operator<<(std::ostream& out, RewardReport const& report) {
  out << report.path << ": " << report.records << " records, " << report.groups << " kept with " << report.answers << " answers, "
      << report.pairs << " comparisons, " << report.tokens << " tokens, longest answer " << report.longest << '\n';
  if (!report.too_long_lines.empty())
    out << "  left out, longer than " << report.max_length << " tokens: " << detail::first_lines(report.too_long_lines) << '\n';
  if (!report.undecided_lines.empty())
    out << "  left out, no answer is better than another: " << detail::first_lines(report.undecided_lines) << '\n';
  if (!report.identical_lines.empty())
    out << "  better and worse answer are the same: " << detail::first_lines(report.identical_lines) << '\n';
  if (report.blank_lines > 0) out << "  blank lines skipped: " << report.blank_lines << '\n';
  if (!report.ignored_keys.empty()) {
    out << "  keys ignored:";
    for (auto const& key : report.ignored_keys) out << ' ' << key;
    out << '\n';
  }
  return out;
}

/// Groups of answers to learn rewards from, all read and checked. Models `BatchSource`.
class RewardDataset {
 public:
  using Batch = RewardBatch;

  /// Error: there are none.
  explicit RewardDataset(std::vector<RewardExample> examples, std::vector<std::string> sources = {}, RewardReport report = {})
      : examples_(std::move(examples)), sources_(std::move(sources)), report_(std::move(report)) {
    require(!examples_.empty(), "data", "a data set must have at least one group of answers");
  }

  [[nodiscard]] Index size() const { return static_cast<Index>(examples_.size()); }
  [[nodiscard]] RewardExample const& operator[](Index i) const { return examples_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] std::vector<RewardExample> const& examples() const { return examples_; }
  /// Names of the sources, in the order in which they came.
  [[nodiscard]] std::vector<std::string> const& sources() const { return sources_; }
  [[nodiscard]] RewardReport const& report() const { return report_; }
  [[nodiscard]] std::string const& path() const { return report_.path; }
  /// FNV-1a over all tokens, ranks and margins.
  [[nodiscard]] std::uint64_t fingerprint() const {
    Fingerprint fingerprint;
    for (auto const& example : examples_) {
      fingerprint.mix(std::ssize(example.answers));
      fingerprint.mix(Index{std::bit_cast<std::uint32_t>(example.margin)});
      for (auto const rank : example.ranks) fingerprint.mix(Index{rank});
      for (auto const& answer : example.answers) {
        fingerprint.mix(std::ssize(answer));
        for (auto const id : answer) fingerprint.mix(Index{id});
      }
    }
    return fingerprint.value();
  }

 private:
  std::vector<RewardExample> examples_;
  std::vector<std::string> sources_;
  RewardReport report_;
};

/// Puts a group behind those of a batch. The row of each answer is its last token.
inline void append_example(RewardBatch& batch, RewardExample const& example) {
  constexpr Index limit = std::numeric_limits<std::int32_t>::max();
  require(example.tokens() <= limit - batch.tokens(), "data", "a batch holds at most ", limit, " tokens");
  if (batch.cu_seqlens.empty()) {
    batch.cu_seqlens.push_back(0);
    batch.cu_groups.push_back(0);
  }
  for (std::size_t i = 0; i < example.answers.size(); ++i) {
    Index const shared = example.shared.empty() ? 0 : example.shared[i];
    batch.ids.insert(batch.ids.end(), example.answers[i].begin() + shared, example.answers[i].end());
    batch.cu_seqlens.push_back(static_cast<std::int32_t>(batch.tokens()));
    note_prefix(batch, shared);
    batch.rows.push_back(static_cast<std::int32_t>(batch.tokens() - 1));
    batch.records.push_back(example.record);
    batch.ranks.push_back(example.ranks[i]);
  }
  batch.cu_groups.push_back(static_cast<std::int32_t>(batch.sequences()));
  batch.margins.push_back(example.margin);
  batch.sources.push_back(example.source);
}

}  // namespace graft
