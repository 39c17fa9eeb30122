// SPDX-License-Identifier: Apache-2.0
#include <graft/data/preference_record.hpp>
#include <graft/data/record.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace graft {

namespace detail {

/// How much of both is prompt: they agree before it, and at least one item of each stays an answer.
template <class Sequence>
[[nodiscard]] std::size_t shared_length(Sequence const& chosen, Sequence const& rejected) {
  require(!chosen.empty() && !rejected.empty(), "data", "chosen and rejected must not be empty where the prompt is in them");
  auto const shared = static_cast<std::size_t>(std::ranges::mismatch(chosen, rejected).in1 - chosen.begin());
  return std::min(shared, std::min(chosen.size(), rejected.size()) - 1);
}

/// Moves what both begin with to the prompt.
GRAFT_INLINE PreferenceChat with_prompt_found(PreferenceChat record) {
  std::size_t const shared = shared_length(record.chosen, record.rejected);
  require(shared > 0, "data", "has no prompt, and chosen and rejected begin with different messages");
  record.prompt.assign(record.chosen.begin(), record.chosen.begin() + static_cast<std::ptrdiff_t>(shared));
  for (auto* answer : {&record.chosen, &record.rejected})
    answer->erase(answer->begin(), answer->begin() + static_cast<std::ptrdiff_t>(shared));
  return record;
}

GRAFT_INLINE PreferenceText with_prompt_found(PreferenceText record) {
  std::size_t shared = shared_length(record.chosen, record.rejected);
  auto const inside_character = [&](std::size_t at) {
    return (static_cast<unsigned char>(record.chosen[at]) & 0xc0) == 0x80 || (static_cast<unsigned char>(record.rejected[at]) & 0xc0) == 0x80;
  };
  while (shared > 0 && inside_character(shared)) --shared;
  if (shared > 0 && record.chosen[shared] != record.rejected[shared] && record.chosen[shared - 1] == ' ') --shared;
  require(shared > 0, "data", "has no prompt, and chosen and rejected begin with different characters");
  record.prompt = record.chosen.substr(0, shared);
  record.chosen.erase(0, shared);
  record.rejected.erase(0, shared);
  return record;
}

}  // namespace detail

GRAFT_INLINE PreferenceRecord parse_preference(std::string_view line, PreferenceFields const& fields,
                                               std::set<std::string>& ignored_keys) {
  auto object = detail::parse_fields(line, {"", fields.prompt, "", ""}, ignored_keys);
  for (auto const* field : {&fields.chosen, &fields.rejected}) {
    ignored_keys.erase(*field);
    require(object.contains(*field), "data", "must have ", fields.chosen, " and ", fields.rejected, ", two answers to compare: has ",
            detail::list_keys(object));
  }
  bool const has_prompt = object.contains(fields.prompt);
  bool const text = object[fields.chosen].is_string();
  for (auto const* field : {&fields.prompt, &fields.chosen, &fields.rejected}) {
    if (field == &fields.prompt && !has_prompt) continue;
    auto const& value = object[*field];
    require(value.is_string() || value.is_array(), "data", *field, " must be a string or a list of messages: got ", value.type_name());
    require(value.is_string() == text, "data", fields.prompt, ", ", fields.chosen, " and ", fields.rejected,
            " must all be strings or all be lists of messages: ", *field, " is a ", value.is_string() ? "string" : "list");
  }
  if (text) {
    auto const take = [&](std::string const& field) { return std::move(object[field].template get_ref<std::string&>()); };
    PreferenceText record{has_prompt ? take(fields.prompt) : "", take(fields.chosen), take(fields.rejected)};
    return has_prompt ? record : detail::with_prompt_found(std::move(record));
  }
  auto const take = [&](std::string const& field) { return detail::take_messages(object[field], field, ignored_keys); };
  PreferenceChat record{has_prompt ? take(fields.prompt) : std::vector<Message>{}, take(fields.chosen), take(fields.rejected)};
  return has_prompt ? record : detail::with_prompt_found(std::move(record));
}

}  // namespace graft
