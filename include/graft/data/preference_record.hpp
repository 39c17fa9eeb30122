// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/text/chat_format.hpp>

#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace graft {

/// Two answers to one prompt, as text.
struct PreferenceText {
  std::string prompt, chosen, rejected;
};

/// Two answers to one conversation.
struct PreferenceChat {
  std::vector<Message> prompt, chosen, rejected;
};

/// One line of a file of preferences, in the shapes that TRL's DPOTrainer takes.
/// Source: huggingface/trl, docs/source/dataset_formats.md.
using PreferenceRecord = std::variant<PreferenceText, PreferenceChat>;

/// The keys of such a record.
struct PreferenceFields {
  std::string prompt = "prompt";
  std::string chosen = "chosen";
  std::string rejected = "rejected";
};

/// Reads one JSON line `{"prompt": …, "chosen": …, "rejected": …}`, all strings or all lists of messages. Without a prompt it is
/// what both answers begin with, as TRL's `extract_prompt` finds it: the messages they share, or the characters, less a blank
/// before the place where they part. Keys that are not used are added to `ignored_keys`.
/// Errors: as `parse_record`; answers that share nothing or everything, where a prompt must be found.
[[nodiscard]] PreferenceRecord parse_preference(std::string_view line, PreferenceFields const& fields,
                                                std::set<std::string>& ignored_keys);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/preference_record.tpp>
#endif
