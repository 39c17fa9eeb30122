// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/module_pattern.hpp>
#include <graft/adapter/target_modules.hpp>

#include <algorithm>

namespace graft {

GRAFT_INLINE bool TargetModules::matches(std::string_view module) const {
  if (all_) return !matches_suffix(module, "lm_head");
  if (!pattern_.empty()) return matches_whole(module, pattern_, "target_modules");
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
