// SPDX-License-Identifier: Apache-2.0
#include <graft/train/answer_score.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>

namespace graft {

namespace detail {

[[nodiscard]] GRAFT_INLINE std::string_view trimmed(std::string_view text) {
  auto const blank = " \t\r\n\f\v";
  auto const begin = text.find_first_not_of(blank);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

/// The inside of a text that is one Markdown fence, ```json … ```; other texts as they are.
[[nodiscard]] GRAFT_INLINE std::string_view unfenced(std::string_view text) {
  text = trimmed(text);
  auto const line_end = text.find('\n');
  if (!text.starts_with("```") || !text.ends_with("```") || line_end == text.npos || line_end + 3 > text.size())
    return text;
  return trimmed(text.substr(line_end, text.size() - 3 - line_end));
}

/// The first balanced {…} of a text, quotes respected; empty if there is none.
[[nodiscard]] GRAFT_INLINE std::string_view first_object(std::string_view text) {
  std::size_t const begin = text.find('{');
  if (begin == text.npos) return {};
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    char const c = text[i];
    if (quoted && c == '\\')
      ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && c == '{')
      ++depth;
    else if (!quoted && c == '}' && --depth == 0)
      return text.substr(begin, i - begin + 1);
  }
  return {};
}

[[nodiscard]] GRAFT_INLINE nlohmann::json parse_quietly(std::string_view text) {
  return nlohmann::json::parse(text, nullptr, false);
}

}  // namespace detail

GRAFT_INLINE AnswerScore score_answer(std::string_view expected, std::string_view answer) {
  auto const wanted = detail::parse_quietly(expected);
  if (!wanted.is_object() || wanted.empty()) {
    bool const equal = detail::trimmed(expected) == detail::trimmed(answer);
    return {equal, equal ? 1.0 : 0.0};
  }
  auto const whole = detail::parse_quietly(detail::unfenced(answer));
  auto const given = whole.is_object() ? whole : detail::parse_quietly(detail::first_object(answer));
  if (!given.is_object()) return {};
  std::size_t right = 0;
  for (auto const& [key, value] : wanted.items())
    if (auto const found = given.find(key); found != given.end() && *found == value) ++right;
  return {whole == wanted, static_cast<double>(right) / static_cast<double>(wanted.size())};
}

}  // namespace graft
