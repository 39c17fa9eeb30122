// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graft {

/// Tag: every linear module except the head, as PEFT's "all-linear".
struct AllLinear {
  friend bool operator==(AllLinear, AllLinear) = default;
};
inline constexpr AllLinear all_linear{};

/// Which modules an adapter sits on, as PEFT's `target_modules`:
///   {"q_proj", "v_proj"}       full names, or suffixes after a dot
///   TargetModules::regex("…")  a regular expression (ECMAScript) that must match the whole name
///   all_linear                 every linear module but the head
class TargetModules {
 public:
  TargetModules() = default;
  TargetModules(AllLinear) : all_(true) {}  // NOLINT(google-explicit-constructor)
  TargetModules(std::initializer_list<char const*> names) : names_(names.begin(), names.end()) {}
  explicit TargetModules(std::vector<std::string> names) : names_(std::move(names)) {}
  [[nodiscard]] static TargetModules regex(std::string pattern) {
    TargetModules modules;
    modules.pattern_ = std::move(pattern);
    return modules;
  }

  [[nodiscard]] bool matches(std::string_view module) const;

  [[nodiscard]] bool empty() const { return !all_ && names_.empty() && pattern_.empty(); }
  [[nodiscard]] bool is_all_linear() const { return all_; }
  [[nodiscard]] std::vector<std::string> const& names() const { return names_; }
  [[nodiscard]] std::string const& pattern() const { return pattern_; }
  /// How to say it in a message.
  [[nodiscard]] std::string text() const;
  friend bool operator==(TargetModules const&, TargetModules const&) = default;

 private:
  bool all_ = false;
  std::vector<std::string> names_;
  std::string pattern_;
};

/// Whether `name` is `pattern` or ends in "." + pattern.
[[nodiscard]] inline bool matches_suffix(std::string_view name, std::string_view pattern) {
  return name.ends_with(pattern) &&
         (name.size() == pattern.size() || name[name.size() - pattern.size() - 1] == '.');
}

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/adapter/target_modules.tpp>
#endif
