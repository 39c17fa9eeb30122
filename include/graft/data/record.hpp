// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/text/chat_format.hpp>

#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace graft {

/// `{"text": …}`: plain text, all of which is learnt.
struct TextRecord {
  std::string text;
};

/// `{"messages": [{"role": …, "content": …}, …], "tools": […]}`: a conversation, whose assistant turns are learnt.
struct MessagesRecord {
  std::vector<Message> messages;
  std::vector<std::string> tools = {};  ///< JSON of each, see `RenderOptions`
};

/// `{"prompt": …, "completion": …}` as strings: the completion is learnt.
struct PromptCompletionRecord {
  std::string prompt;
  std::string completion;
};

/// `{"prompt": [messages], "completion": [messages]}`: the completion is learnt.
struct ChatPromptCompletionRecord {
  std::vector<Message> prompt;
  std::vector<Message> completion;
  std::vector<std::string> tools = {};
};

/// One line of a data file in one of the four shapes that TRL's SFTTrainer takes.
/// Source: huggingface/trl, docs/source/dataset_formats.md.
using Record = std::variant<TextRecord, MessagesRecord, PromptCompletionRecord, ChatPromptCompletionRecord>;

/// The keys that a record is recognised by. An empty name switches its shape off: then its key is one that is ignored.
/// `{.prompt_field = "question", .completion_field = "answer"}` reads question-answer files.
struct RecordOptions {
  std::string messages_field = "messages";
  std::string prompt_field = "prompt";
  std::string completion_field = "completion";
  std::string text_field = "text";
};

/// Reads one JSON line. Keys with the value null count as absent. Keys that no shape uses are added to `ignored_keys`
/// (those of messages as "messages[].name"); keys that would change what is learnt (`functions`, `chat_template_kwargs`, …) are
/// errors, and so are a key that stands twice, two shapes in one record, an unknown role, content that is not text.
/// A content list of `{"type": "text", "text": …}` parts is joined.
/// Error: says what is wrong with the line, without file and number, which the caller knows.
[[nodiscard]] Record parse_record(std::string_view line, RecordOptions const& options,
                                  std::set<std::string>& ignored_keys);

/// Reads one JSON line `{"messages": […], "tools": […]}` as it stands, whether there is something to learn in it or not.
[[nodiscard]] MessagesRecord parse_conversation(std::string_view line);

/// What a model is to answer: `{"prompt": "…"}` or `{"prompt": [messages]}` or `{"messages": […]}`.
using Prompt = std::variant<std::string, std::vector<Message>>;

/// Reads one JSON line as a prompt; a completion beside it is ignored. A conversation that ends with an assistant turn
/// is an error, for then there is nothing to answer. Errors as in `parse_record`.
[[nodiscard]] Prompt parse_prompt(std::string_view line, RecordOptions const& options,
                                  std::set<std::string>& ignored_keys);

/// Whether a line has nothing but blanks: such lines are skipped.
[[nodiscard]] inline bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == line.npos; }

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/record.tpp>
#endif
