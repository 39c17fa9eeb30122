// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>

#include <iosfwd>
#include <set>
#include <string>
#include <vector>

namespace graft {

/// What was read from a data file and what became of it: nothing is cut, dropped or ignored without standing here.
struct DatasetReport {
  std::string path;
  Index records = 0;            ///< in the file
  Index tokens = 0;             ///< of the examples kept, after truncation
  Index supervised_tokens = 0;  ///< predictions that are learnt
  Index longest = 0;            ///< tokens of the longest record, before truncation
  Index max_length = 0;
  Index truncated = 0;               ///< records cut to max_length
  Index tokens_cut = 0;              ///< tokens that truncation took away
  std::vector<Index> dropped_lines;  ///< records with no supervised token left, which are not trained on
  std::vector<Index> merged_lines;   ///< records in which a token reaches across the prompt's end (see `Supervision`)
  Index user_turns_learnt = 0;       ///< completions that hold other roles' turns: learnt too, as TRL does
  Index blank_lines = 0;
  std::set<std::string> ignored_keys;

  [[nodiscard]] Index dropped() const { return static_cast<Index>(dropped_lines.size()); }
  /// Prints it to standard output.
  void print() const;
};

/// A few lines for people; a line for each thing that did not happen is left out.
std::ostream& operator<<(std::ostream& out, DatasetReport const& report);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/dataset_report.tpp>
#endif
