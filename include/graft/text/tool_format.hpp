// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace graft {

/// A call of a tool by the assistant.
struct ToolCall {
  std::string name;
  std::string arguments;          ///< JSON on one line, written as Python's json.dumps does; or any text, see below
  bool arguments_are_text = false;  ///< the data gave a string, which most templates put in quotes once more
  friend bool operator==(ToolCall const&, ToolCall const&) = default;
};

/// What stands around the content of a message.
struct ChatTurn {
  std::string prefix = {};
  std::string suffix = {};
};

/// Where a template lists the tools that a conversation offers.
enum class ToolPlacement {
  system_end,       ///< at the end of the system turn
  first_user_begin  ///< before the content of the first user message
};

/// How a template writes tools, calls of them, and what they returned. The sentences around the list are the template's own.
struct ToolFormatSpec {
  ToolPlacement placement = ToolPlacement::system_end;
  std::optional<std::string> system_prefix = {};  ///< of the system turn of a conversation with tools, where it differs
  std::string system_separator = {};              ///< between what the system says and the list, where it says something
  ChatTurn list = {};                             ///< around all tools
  ChatTurn tool = {};                             ///< around each tool's JSON
  int indent = 0;                                 ///< of that JSON; 0: on one line
  std::string call_name = "{\"name\": \"";        ///< before the name that the assistant calls
  std::string call_arguments = "\", \"arguments\": ";  ///< between name and arguments
  std::string call_end = "}";
  std::string call_separator = "\n";   ///< between content and calls, and between calls
  bool raw_text_arguments = false;     ///< arguments that are a string are not put in quotes
  bool single_call = false;            ///< a message has one call at most
  bool call_replaces_content = false;  ///< the template leaves out what such a message says
  ChatTurn results = {};               ///< around the results that stand together
  ChatTurn result = {};                ///< around each
  bool results_share_turn = false;     ///< else each has a turn of its own
  bool result_as_json = false;         ///< a result is written as a JSON string
};

namespace detail {

/// `text` as json.dumps(ensure_ascii=False) writes a string.
[[nodiscard]] std::string json_quoted(std::string_view text);

/// JSON on one line, as json.dumps writes it, laid out as json.dumps(indent=…) does.
[[nodiscard]] std::string json_indented(std::string_view json, int indent);

[[nodiscard]] std::string tool_list_text(ToolFormatSpec const& format, std::span<std::string const> tools);
[[nodiscard]] std::string tool_call_text(ToolFormatSpec const& format, ToolCall const& call);

}  // namespace detail
}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/text/tool_format.tpp>
#endif
