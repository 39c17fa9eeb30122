// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/target_modules.hpp>
#include <graft/core/error.hpp>

#include <algorithm>
#include <regex>

namespace graft {

namespace detail {

/// Patterns come from files, so none may take exponential time: libstdc++ searches breadth-first if asked to (it then
/// refuses back-references), libc++ gives up with an error of its own.
#ifdef __GLIBCXX__
inline constexpr auto pattern_syntax = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
inline constexpr auto pattern_syntax = std::regex::ECMAScript;
#endif

}  // namespace detail

GRAFT_INLINE bool TargetModules::matches(std::string_view module) const {
  if (all_) return !matches_suffix(module, "lm_head");
  if (!pattern_.empty()) {
    try {
      return std::regex_match(module.begin(), module.end(), std::regex(pattern_, detail::pattern_syntax));
    } catch (std::regex_error const& error) {
      fail("target_modules", "\"", pattern_, "\" is not a regular expression: ", error.what());
    }
  }
  return std::any_of(names_.begin(), names_.end(),
                     [&](std::string const& name) { return matches_suffix(module, name); });
}

GRAFT_INLINE std::string TargetModules::text() const {
  if (all_) return "all-linear";
  if (!pattern_.empty()) return "regex \"" + pattern_ + "\"";
  std::string text;
  for (auto const& name : names_) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

}  // namespace graft
