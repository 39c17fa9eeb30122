// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/line_errors.hpp>

#include <algorithm>
#include <sstream>
#include <string_view>

namespace graft {

namespace detail {

GRAFT_INLINE std::string reason_of(Error const& error) {
  std::string_view what = error.what();
  if (constexpr std::string_view own = "[data] "; what.starts_with(own)) what.remove_prefix(own.size());
  return std::string(what);
}

}  // namespace detail

GRAFT_INLINE void LineErrors::add(Index line, Error const& error) {
  ++count_;
  std::string reason = detail::reason_of(error);
  auto const same = std::ranges::find(groups_, reason, &Group::reason);
  if (same != groups_.end())
    same->lines.push_back(line);
  else
    groups_.push_back({std::move(reason), {line}});
}

GRAFT_INLINE void LineErrors::report() const {
  if (count_ == 0) return;
  std::ostringstream message;
  if (count_ > 1) message << path_ << " has " << count_ << " bad lines" << (full() ? " (reading stopped there):" : ":");
  for (Group const& group : groups_) {
    message << (count_ > 1 ? "\n  " : "") << path_ << ":" << group.lines.front() << ": " << group.reason;
    for (std::size_t i = 1; i < group.lines.size(); ++i) message << (i == 1 ? " (also lines " : ", ") << group.lines[i];
    if (group.lines.size() > 1) message << ")";
  }
  throw Error("data", message.str());
}

}  // namespace graft
