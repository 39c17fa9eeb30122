// SPDX-License-Identifier: Apache-2.0
#include <graft/data/dataset_report.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>

namespace graft {

namespace detail {

/// "lines 3, 8, 12" with at most 20 of them.
GRAFT_INLINE std::string list_lines(std::vector<Index> const& lines) {
  constexpr std::size_t limit = 20;
  std::string list = lines.size() == 1 ? "line " : "lines ";
  for (std::size_t i = 0; i < std::min(lines.size(), limit); ++i)
    list += (i == 0 ? "" : ", ") + std::to_string(lines[i]);
  if (lines.size() > limit) list += " and " + std::to_string(lines.size() - limit) + " more";
  return list;
}

}  // namespace detail

GRAFT_INLINE std::ostream& operator<<(std::ostream& out, DatasetReport const& report) {
  out << report.path << ": " << report.records << " records, " << report.tokens << " tokens, "
      << report.supervised_tokens << " supervised, longest " << report.longest << '\n';
  if (report.truncated > 0)
    out << "  truncated to " << report.max_length << " tokens: " << report.truncated << " records, "
        << report.tokens_cut << " tokens cut off\n";
  if (!report.dropped_lines.empty())
    out << "  dropped, no supervised token left: " << detail::list_lines(report.dropped_lines) << '\n';
  if (!report.merged_lines.empty())
    out << "  a token joins the prompt's end and the completion, and is learnt whole: "
        << detail::list_lines(report.merged_lines) << '\n';
  if (report.user_turns_learnt > 0)
    out << "  completions with turns that are not the assistant's, which are learnt too: " << report.user_turns_learnt
        << '\n';
  if (report.blank_lines > 0) out << "  blank lines skipped: " << report.blank_lines << '\n';
  if (!report.ignored_keys.empty()) {
    out << "  keys ignored:";
    for (auto const& key : report.ignored_keys) out << ' ' << key;
    out << '\n';
  }
  return out;
}

GRAFT_INLINE void DatasetReport::print() const { std::cout << *this; }

}  // namespace graft
