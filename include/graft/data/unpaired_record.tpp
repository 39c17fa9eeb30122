// SPDX-License-Identifier: Apache-2.0
#include <graft/data/unpaired_record.hpp>

#include <type_traits>
#include <utility>

namespace graft {

GRAFT_INLINE std::vector<UnpairedRecord> parse_unpaired(std::string_view line, UnpairedFields const& fields,
                                                        std::set<std::string>& ignored_keys) {
  std::set<std::string> unused;  // the functions below note what they do not use
  auto const object = detail::parse_fields(line, {fields.prompt}, unused);
  if (!object.contains(fields.completion) && (object.contains(fields.chosen) || object.contains(fields.rejected))) {
    auto pair = parse_preference(line, {fields.prompt, fields.chosen, fields.rejected}, ignored_keys);
    return std::visit(
        [](auto& text_or_chat) -> std::vector<UnpairedRecord> {
          using Shape = std::conditional_t<std::is_same_v<std::remove_cvref_t<decltype(text_or_chat)>, PreferenceText>, PromptCompletionRecord,
                                           ChatPromptCompletionRecord>;
          return {{Shape{text_or_chat.prompt, std::move(text_or_chat.chosen)}, true},
                  {Shape{text_or_chat.prompt, std::move(text_or_chat.rejected)}, false}};
        },
        pair);
  }
  auto record = parse_record(line, {"", fields.prompt, fields.completion, ""}, ignored_keys);
  ignored_keys.erase(fields.label);
  require(object.contains(fields.label) && object[fields.label].is_boolean(), "data", "must have ", fields.label,
          ", true for a desirable answer or false: got ", object.contains(fields.label) ? object[fields.label].type_name() : "none");
  return {{std::move(record), object[fields.label].template get<bool>()}};
}

}  // namespace graft
