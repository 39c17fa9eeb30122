// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/train/ai_feedback.hpp>

#include <nlohmann/json.hpp>

namespace graft {

namespace detail {

inline nlohmann::ordered_json json_of(std::vector<Message> const& messages) {
  auto list = nlohmann::ordered_json::array();
  for (auto const& message : messages) list.push_back({{"role", message.role}, {"content", message.content}});
  return list;
}
inline nlohmann::ordered_json answer_json(std::string const& text) { return json_of({{"assistant", text}}); }

inline std::string one_line(nlohmann::ordered_json const& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace detail

GRAFT_INLINE std::string json_line(RevisionRecord const& record) {
  auto rounds = nlohmann::ordered_json::array();
  for (auto const& round : record.rounds)
    rounds.push_back({{"principle", round.principle}, {"critique", round.critique}, {"revision", round.revision}, {"accepted", round.accepted}});
  return detail::one_line({{"prompt", detail::json_of(record.prompt)},
                           {"completion", detail::answer_json(record.completion())},
                           {"response", record.response},
                           {"rounds", std::move(rounds)}});
}

GRAFT_INLINE std::string json_line(PreferenceLabel const& label) {
  double const p = label.probability();
  bool const first = p >= 0.5;
  nlohmann::ordered_json json{{"prompt", detail::json_of(label.prompt)},
                              {"chosen", detail::answer_json(first ? label.first : label.second)},
                              {"rejected", detail::answer_json(first ? label.second : label.first)},
                              {"source", label.principle},
                              {"probability", first ? p : 1 - p},
                              {"log_odds", {label.forward.log_odds, -label.swapped.log_odds}}};
  if (!label.forward.rationale.empty()) json["rationales"] = {label.forward.rationale, label.swapped.rationale};
  return detail::one_line(json);
}

}  // namespace graft
