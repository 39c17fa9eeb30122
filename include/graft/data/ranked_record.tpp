// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/ranked_record.hpp>
#include <graft/data/record.tpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace graft {

namespace detail {

/// Takes one side of a record: text, or messages behind `prompt`, which has the same kind or is null.
GRAFT_INLINE void take_answer(RankedRecord& record, OrderedJson& value, std::string const& field, OrderedJson const& prompt,
                              std::vector<Message> const& prompt_messages, std::set<std::string>& ignored_keys) {
  require(value.is_string() || value.is_array(), "data", field, " must be a string or a list of messages: got ",
          value.type_name());
  require(prompt.is_null() || value.is_string() == prompt.is_string(), "data", "prompt and ", field,
          " must both be strings or both be lists of messages: got ", prompt.type_name(), " and ", value.type_name());
  if (value.is_string()) {
    auto* const texts = std::get_if<std::vector<std::string>>(&record.answers);
    require(texts != nullptr, "data", field, " is a string, but another answer is a list of messages");
    texts->push_back((prompt.is_null() ? "" : prompt.get_ref<std::string const&>()) + value.get_ref<std::string const&>());
    return;
  }
  if (auto const* texts = std::get_if<std::vector<std::string>>(&record.answers)) {
    require(texts->empty(), "data", field, " is a list of messages, but another answer is a string");
    record.answers.emplace<1>();
  }
  std::vector<Message> messages = prompt_messages;
  auto const own = take_messages(value, field, ignored_keys);
  require(own.back().role == "assistant", "data", field, " must end with an assistant turn, which is what is judged: got ",
          own.back().role);
  messages.insert(messages.end(), own.begin(), own.end());
  std::get<1>(record.answers).push_back(std::move(messages));
}

/// The numbers of a list, one for each of `count` answers.
GRAFT_INLINE std::vector<double> take_numbers(OrderedJson const& value, std::string const& field, std::size_t count) {
  require(value.is_array() && value.size() == count, "data", field, " must be a list of a number for each of ", count,
          " completions: got ", value.is_array() ? std::to_string(value.size()) + " entries" : std::string(value.type_name()));
  std::vector<double> numbers;
  for (OrderedJson const& entry : value) {
    require(entry.is_number() && std::isfinite(entry.get<double>()), "data", field, " must hold numbers: got ", entry.type_name());
    numbers.push_back(entry.get<double>());
  }
  return numbers;
}

/// Sorts the answers by what stands against them, lowest first, equal ones in their order, and numbers the ranks from 0.
GRAFT_INLINE void sort_answers(RankedRecord& record, std::vector<double> const& cost) {
  std::vector<std::size_t> order(cost.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return cost[a] < cost[b]; });
  record.ranks.clear();
  for (std::size_t i = 0; i < order.size(); ++i) {
    bool const same = i > 0 && cost[order[i]] == cost[order[i - 1]];
    record.ranks.push_back(i == 0 ? 0 : record.ranks.back() + (same ? 0 : 1));
  }
  std::visit(
      [&](auto& answers) {
        auto const old = std::move(answers);
        answers.clear();
        for (std::size_t const i : order) answers.push_back(old[i]);
      },
      record.answers);
}

/// The prompt as it stands in the line (null where there is none), and its messages where it has some.
GRAFT_INLINE std::pair<OrderedJson, std::vector<Message>> take_prompt(OrderedJson& object, std::set<std::string>& ignored_keys) {
  if (!object.contains("prompt")) return {OrderedJson(), {}};
  OrderedJson& prompt = object["prompt"];
  require(prompt.is_string() || prompt.is_array(), "data", "prompt must be a string or a list of messages: got ", prompt.type_name());
  if (prompt.is_string()) return {prompt, {}};
  return {OrderedJson::array(), take_messages(prompt, "prompt", ignored_keys)};
}

}  // namespace detail

GRAFT_INLINE RankedRecord parse_ranked_record(std::string_view line, std::set<std::string>& ignored_keys) {
  auto object = detail::parse_fields(
      line, {"prompt", "chosen", "rejected", "margin", "source", "completions", "ranks", "scores"}, ignored_keys);
  auto const has = [&](char const* key) { return object.contains(key); };
  bool const pair = has("chosen") || has("rejected");
  require(pair != has("completions"), "data", "must have chosen and rejected, or prompt and completions: has ",
          detail::list_keys(object));
  auto const [prompt, messages] = detail::take_prompt(object, ignored_keys);
  RankedRecord record;
  if (pair) {
    require(has("chosen"), "data", "has rejected but no chosen");
    require(has("rejected"), "data", "has chosen but no rejected");
    for (char const* key : {"ranks", "scores"})
      require(!has(key), "data", "has ", key, ", which belong to completions: of a pair, chosen is the better");
    for (char const* key : {"chosen", "rejected"}) detail::take_answer(record, object[key], key, prompt, messages, ignored_keys);
    record.ranks = {0, 1};
  } else {
    require(!prompt.is_null(), "data", "has completions but no prompt");
    auto& list = object["completions"];
    require(list.is_array() && list.size() >= 2, "data", "completions must be a list of two or more: got ",
            list.is_array() ? std::to_string(list.size()) : std::string(list.type_name()));
    require(!(has("ranks") && has("scores")), "data", "has both ranks and scores: keep one");
    for (std::size_t i = 0; i < list.size(); ++i)
      detail::take_answer(record, list[i], "completions[" + std::to_string(i) + "]", prompt, messages, ignored_keys);
    for (std::size_t i = 0; i < list.size(); ++i) record.ranks.push_back(static_cast<std::int32_t>(i));
    if (has("ranks")) detail::sort_answers(record, detail::take_numbers(object["ranks"], "ranks", list.size()));
    if (has("scores")) {
      auto scores = detail::take_numbers(object["scores"], "scores", list.size());
      for (double& score : scores) score = -score;
      detail::sort_answers(record, scores);
    }
  }
  if (has("margin")) {
    auto const& margin = object["margin"];
    require(margin.is_number() && std::isfinite(margin.get<double>()), "data", "margin must be a number: got ", margin.type_name());
    record.margin = margin.get<double>();
  }
  if (has("source")) record.source = detail::string_of(object["source"], "source");
  return record;
}

GRAFT_INLINE ScoredText parse_scored_text(std::string_view line, std::set<std::string>& ignored_keys) {
  auto object = detail::parse_fields(line, {"prompt", "completion", "text", "messages"}, ignored_keys);
  int const shapes = static_cast<int>(object.contains("text")) + static_cast<int>(object.contains("messages")) +
                     static_cast<int>(object.contains("completion"));
  require(shapes == 1, "data", "must have prompt and completion, or messages, or text: has ", detail::list_keys(object));
  require(object.contains("completion") || !object.contains("prompt"), "data", "has a prompt, but no completion to it");
  if (object.contains("text")) return std::move(detail::string_of(object["text"], "text"));
  char const* const field = object.contains("messages") ? "messages" : "completion";
  auto const [prompt, messages] = detail::take_prompt(object, ignored_keys);
  RankedRecord record;
  detail::take_answer(record, object[field], field, prompt, messages, ignored_keys);
  if (record.is_conversation()) return std::move(std::get<1>(record.answers).front());
  return std::move(std::get<0>(record.answers).front());
}

}  // namespace graft
