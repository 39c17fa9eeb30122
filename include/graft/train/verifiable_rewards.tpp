// SPDX-License-Identifier: Apache-2.0
#include <graft/train/verifiable_rewards.hpp>

#include <graft/train/policy_metrics.hpp>

#include <nlohmann/json.hpp>

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

namespace graft {

namespace detail {

/// Without white space around it.
[[nodiscard]] GRAFT_INLINE std::string_view stripped(std::string_view text) {
  auto const blank = " \t\r\n\f\v";
  auto const begin = text.find_first_not_of(blank);
  return begin == text.npos ? std::string_view{} : text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

/// "name:3:4" → {3, 4}; the name must be `name`.
[[nodiscard]] GRAFT_INLINE std::optional<std::vector<Index>> numbers_after(std::string_view text, std::string_view name) {
  if (!text.starts_with(name)) return std::nullopt;
  text.remove_prefix(name.size());
  std::vector<Index> numbers;
  while (!text.empty()) {
    Index number = 0;
    auto const result = std::from_chars(text.data() + 1, text.data() + text.size(), number);
    if (text.front() != ':' || result.ec != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace detail

GRAFT_INLINE double exact_match(Sample const& sample) {
  return detail::stripped(sample.completion) == detail::stripped(sample.expected) ? 1 : 0;
}

GRAFT_INLINE double json_valid(Sample const& sample) {
  auto text = detail::stripped(sample.completion);
  if (auto const line = text.find('\n'); text.starts_with("```") && text.ends_with("```") && line != text.npos && line + 3 < text.size())
    text = text.substr(line + 1, text.size() - line - 4);
  return nlohmann::json::accept(text) ? 1 : 0;
}

GRAFT_INLINE std::optional<double> last_number(std::string_view text) {
  if (auto const mark = text.rfind("####"); mark != text.npos) text.remove_prefix(mark + 4);
  auto const digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  std::size_t end = text.size();
  while (end > 0 && !digit(text[end - 1])) --end;
  std::size_t begin = end;
  auto const joins = [&](std::size_t i) {  // "." and "," between digits
    return (text[i] == '.' || text[i] == ',') && i > 0 && digit(text[i - 1]) && digit(text[i + 1]);
  };
  while (begin > 0 && (digit(text[begin - 1]) || joins(begin - 1))) --begin;
  if (begin == end) return std::nullopt;
  bool const negative = begin > 0 && text[begin - 1] == '-' && (begin == 1 || !digit(text[begin - 2]));
  std::string plain = negative ? "-" : "";
  for (char const c : text.substr(begin, end - begin))
    if (c != ',') plain += c;
  double value = 0;
  auto const result = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (result.ec != std::errc{}) return std::nullopt;
  return value;
}

GRAFT_INLINE double arithmetic_answer(Sample const& sample) {
  auto const expected = last_number(sample.expected), given = last_number(sample.completion);
  if (!expected) return std::numeric_limits<double>::quiet_NaN();
  return given && std::abs(*given - *expected) <= 1e-9 * std::max(1.0, std::abs(*expected)) ? 1 : 0;
}

GRAFT_INLINE Reward repetition_penalty(Index n) {
  require(n >= 1, "reward", "a repetition penalty counts n-grams of at least 1 token: got ", n);
  return [n](Sample const& sample) { return -repeated_ngrams(sample.ids, static_cast<std::size_t>(n)); };
}

GRAFT_INLINE Reward weighted_sum(std::vector<std::pair<double, Reward>> parts) {
  require(!parts.empty(), "reward", "a sum needs at least one reward");
  if (parts.size() == 1 && parts.front().first == 1) return std::move(parts.front().second);
  return [parts = std::move(parts)](Sample const& sample) {
    double sum = 0;
    bool scored = false;
    for (auto const& [weight, reward] : parts)
      if (double const value = reward(sample); !std::isnan(value)) {
        sum += weight * value;
        scored = true;
      }
    return scored ? sum : std::numeric_limits<double>::quiet_NaN();
  };
}

GRAFT_INLINE Reward named_reward(std::string_view name) {
  if (name == "exact_match") return exact_match;
  if (name == "json_valid") return json_valid;
  if (name == "arithmetic_answer") return arithmetic_answer;
  if (auto const numbers = detail::numbers_after(name, "length_penalty"); numbers && numbers->size() == 2)
    return length_penalty((*numbers)[0], (*numbers)[1]);
  if (auto const numbers = detail::numbers_after(name, "repetition_penalty"); numbers && numbers->size() <= 1)
    return repetition_penalty(numbers->empty() ? 4 : numbers->front());
  fail("reward", "unknown reward \"", name,
       "\": it must be exact_match, json_valid, arithmetic_answer, length_penalty:FREE:LIMIT or repetition_penalty[:N]");
}

}  // namespace graft
