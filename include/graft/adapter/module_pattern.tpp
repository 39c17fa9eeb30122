// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/adapter/module_pattern.hpp>
#include <graft/core/error.hpp>

#include <algorithm>
#include <charconv>
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

/// Calls use(compiled expression); `shown` is what the user wrote.
template <class F>
auto with_regex(std::string const& expression, std::string const& shown, std::string_view tag, F&& use) {
  try {
    return use(std::regex(expression, pattern_syntax));
  } catch (std::regex_error const& error) {
    fail(tag, "\"", shown, "\" is not a regular expression: ", error.what());
  }
}

[[nodiscard]] inline std::optional<Index> as_layer_number(std::string_view digits) {
  Index number = 0;
  auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  bool const whole = error == std::errc{} && end == digits.data() + digits.size() && digits.front() != '-';
  return whole ? std::optional<Index>(number) : std::nullopt;
}

}  // namespace detail

GRAFT_INLINE bool matches_whole(std::string_view name, std::string const& expression, std::string_view tag) {
  return detail::with_regex(expression, expression, tag,
                            [&](std::regex const& regex) { return std::regex_match(name.begin(), name.end(), regex); });
}

GRAFT_INLINE bool matches_pattern_key(std::string_view module, std::string const& key, std::string_view tag) {
  return detail::with_regex("(?:.*\\.)?(?:" + key + ")", key, tag, [&](std::regex const& regex) {
    return std::regex_match(module.begin(), module.end(), regex);
  });
}

GRAFT_INLINE std::optional<Index> layer_of_module(std::string_view module, std::vector<std::string> const& patterns) {
  for (auto const& pattern : patterns) {
    std::string digits;
    bool const found =
        detail::with_regex("(?:^|\\.)(?:" + pattern + ")\\.([0-9]+)\\.", pattern, "layers_pattern", [&](std::regex const& regex) {
          std::match_results<std::string_view::const_iterator> match;
          if (!std::regex_search(module.begin(), module.end(), match, regex)) return false;
          digits = match[match.size() - 1].str();  // a pattern may have groups of its own, before it
          return true;
        });
    if (found) return detail::as_layer_number(digits);
  }
  if (!patterns.empty()) return std::nullopt;
  std::size_t begin = 0;
  for (Index part = 0;; ++part) {
    auto const end = module.find('.', begin);
    if (end == std::string_view::npos) return std::nullopt;
    if (part >= 2 && end > begin)
      if (auto const number = detail::as_layer_number(module.substr(begin, end - begin))) return number;
    begin = end + 1;
  }
}

GRAFT_INLINE bool lies_within(std::string_view module, std::string_view name) {
  if (name.empty()) return false;
  for (std::size_t at = module.find(name); at != std::string_view::npos; at = module.find(name, at + 1)) {
    auto const end = at + name.size();
    if ((at == 0 || module[at - 1] == '.') && (end == module.size() || module[end] == '.')) return true;
  }
  return false;
}

}  // namespace graft
