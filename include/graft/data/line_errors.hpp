// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graft {

namespace detail {

/// What an error of this layer says, without its tag: for a message that adds the place. Other layers keep their tag.
[[nodiscard]] inline std::string reason_of(Error const& error) {
  std::string_view what = error.what();
  if (constexpr std::string_view own = "[data] "; what.starts_with(own)) what.remove_prefix(own.size());
  return std::string(what);
}

}  // namespace detail

/// Collects what is wrong with the lines of one file, so that one error reports them all before training starts.
class LineErrors {
 public:
  static constexpr std::size_t limit = 20;

  explicit LineErrors(std::string path) : path_(std::move(path)) {}

  void add(Index line, Error const& error) {
    ++count_;
    std::string reason = detail::reason_of(error);
    auto const same = std::ranges::find(groups_, reason, &Group::reason);
    if (same != groups_.end())
      same->lines.push_back(line);
    else
      groups_.push_back({std::move(reason), {line}});
  }
  /// Whether so many lines are bad that reading on is of no use.
  [[nodiscard]] bool full() const { return count_ >= limit; }

  /// Error, if there was any: `[data] FILE:LINE: reason`, or a list with one entry for each reason.
  void report() const {
    if (count_ == 0) return;
    std::ostringstream message;
    if (count_ > 1)
      message << path_ << " has " << count_ << " bad lines" << (full() ? " (reading stopped there):" : ":");
    for (Group const& group : groups_) {
      message << (count_ > 1 ? "\n  " : "") << path_ << ":" << group.lines.front() << ": " << group.reason;
      for (std::size_t i = 1; i < group.lines.size(); ++i)
        message << (i == 1 ? " (also lines " : ", ") << group.lines[i];
      if (group.lines.size() > 1) message << ")";
    }
    throw Error("data", message.str());
  }

 private:
  struct Group {
    std::string reason;
    std::vector<Index> lines;
  };

  std::string path_;
  std::vector<Group> groups_;
  std::size_t count_ = 0;
};

}  // namespace graft
