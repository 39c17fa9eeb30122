// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/json_object.tpp>
#include <graft/data/record.hpp>
#include <graft/data/tool_json.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <utility>

namespace graft {

namespace detail {

/// Whether the reader of a record can make something of tools, calls and results.
enum class ToolUse { refused, taken };

/// Takes a message's content: a string, or parts that are all text.
GRAFT_INLINE std::string take_content(Json& content, std::string const& where) {
  if (content.is_string()) return std::move(content.get_ref<std::string&>());
  require(content.is_array(), "data", where, ".content must be text: got ", content.type_name());
  std::string joined;
  for (std::size_t i = 0; i < content.size(); ++i) {
    Json& part = content[i];
    bool const is_text = part.is_object() && part.contains("type") && part["type"] == "text" && part.contains("text") &&
                         part["text"].is_string();
    std::string const kind = part.is_object() && part.contains("type") && part["type"].is_string()
                                 ? excerpt(part["type"].get_ref<std::string const&>())
                                 : "none";
    require(is_text, "data", where, ".content[", i, "] must be {\"type\": \"text\", \"text\": …}: got type ", kind,
            " (only text is supported)");
    joined += part["text"].get_ref<std::string const&>();
  }
  return joined;
}

GRAFT_INLINE Message take_message(Json& value, std::string const& where, std::string const& field,
                                  std::set<std::string>& ignored_keys, ToolUse tools) {
  require(value.is_object(), "data", where, " must be {\"role\": …, \"content\": …}: got ", value.type_name());
  if (value.contains("from") && value.contains("value") && !value.contains("role"))
    fail("data", where, " has the keys from and value (ShareGPT): role and content are needed");
  require(value.contains("role"), "data", where, " lacks the key role");
  require(value["role"].is_string(), "data", where, ".role must be a string: got ", value["role"].type_name());
  std::string role = value["role"].get<std::string>();
  require(role != "function" && role != "ipython", "data", where, ".role is ", role, ": what a tool returned has the role tool");
  require(role != "tool" || tools == ToolUse::taken, "data", where, ".role is tool: tool use is supported in fine-tuning only");
  require(role == "system" || role == "user" || role == "assistant" || role == "tool", "data", where,
          ".role must be system, user, assistant or tool: got \"", excerpt(role), "\"");
  std::vector<ToolCall> calls;
  for (auto& [key, item] : value.items()) {
    if (key == "role" || key == "content" || item.is_null()) continue;
    require(key != "function_call" || item.empty(), "data", where, " has function_call: tool_calls are supported instead");
    if (key == "tool_calls" && !item.empty()) {
      require(tools == ToolUse::taken, "data", where, " has tool_calls: tool use is supported in fine-tuning only");
      require(role == "assistant", "data", where, " has tool_calls: only the assistant calls tools, its role is ", role);
      calls = take_tool_calls(item, where);
    } else {
      ignored_keys.insert(field + "[]." + excerpt(key));
    }
  }
  bool const silent = !calls.empty() && (!value.contains("content") || value["content"].is_null());
  require(silent || value.contains("content"), "data", where, " lacks the key content");
  return {std::move(role), silent ? "" : take_content(value["content"], where), std::move(calls)};
}

GRAFT_INLINE std::vector<Message> take_messages(Json& value, std::string const& field,
                                                std::set<std::string>& ignored_keys, ToolUse tools = ToolUse::refused) {
  require(!value.empty(), "data", field, " has no messages");
  std::vector<Message> messages;
  messages.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i)
    messages.push_back(take_message(value[i], field + "[" + std::to_string(i) + "]", field, ignored_keys, tools));
  return messages;
}

GRAFT_INLINE std::string& string_of(Json& value, std::string const& field) {
  require(value.is_string(), "data", field, " must be a string: got ", value.type_name());
  return value.get_ref<std::string&>();
}

/// A record's keys, minus those that are null; what changes the meaning of a record and is not supported is refused. Keys
/// other than `known` are noted. `tools`: where they go, if the reader takes them.
GRAFT_INLINE Json parse_fields(std::string_view line, std::initializer_list<std::string_view> known,
                               std::set<std::string>& ignored_keys, std::vector<std::string>* tools = nullptr) {
  Json object = parse_object(line);
  for (auto item = object.begin(); item != object.end();) item = item->is_null() ? object.erase(item) : std::next(item);
  for (auto const* key : {"tools", "functions"}) {
    if (!object.contains(key) || object[key].empty() || object[key] == "") continue;
    require(key == std::string_view("tools"), "data", "has functions: tools are supported instead");
    require(tools != nullptr, "data", "has tools: tool use is supported in fine-tuning only");
    *tools = take_tools(object[key]);
    object.erase(key);
  }
  require(!object.contains("chat_template_kwargs") || object["chat_template_kwargs"].empty(), "data",
          "has chat_template_kwargs: arguments for the template are not supported");
  require(!object.contains("input_ids"), "data", "has input_ids: records that are already tokenised are not supported");
  for (auto& [key, item] : object.items())
    if (std::ranges::find(known, key) == known.end()) ignored_keys.insert(excerpt(key));
  return object;
}

GRAFT_INLINE Json parse_fields(std::string_view line, RecordOptions const& options,
                               std::set<std::string>& ignored_keys, std::vector<std::string>* tools = nullptr) {
  return parse_fields(line, {options.messages_field, options.prompt_field, options.completion_field, options.text_field},
                      ignored_keys, tools);
}

GRAFT_INLINE std::string list_keys(Json const& object) {
  std::string list;
  int shown = 0;
  std::set<std::string> keys;
  for (auto const& [key, item] : object.items()) keys.insert(key);
  for (std::string const& key : keys) {
    if (++shown > 8) return list + ", …";
    list += (list.empty() ? "" : ", ") + excerpt(key);
  }
  return list.empty() ? "none" : list;
}

/// No shape fits: says which keys would, and what the keys look like.
[[noreturn]] GRAFT_INLINE void fail_unknown_shape(Json const& object, RecordOptions const& options) {
  if (object.contains("chosen") || object.contains("rejected"))
    fail("data",
         "is a preference record (chosen, rejected): fine-tuning takes messages, prompt and completion, or text");
  if (object.contains("conversations"))
    fail("data", "has the key conversations (ShareGPT): rename it to messages, with role and content in each");
  std::string shapes;
  auto const add = [&shapes](std::string const& shape) { shapes += (shapes.empty() ? "" : "; or ") + shape; };
  if (!options.messages_field.empty()) add(options.messages_field);
  if (!options.prompt_field.empty()) add(options.prompt_field + " and " + options.completion_field);
  if (!options.text_field.empty()) add(options.text_field);
  fail("data", "must have ", shapes, ": has ", list_keys(object),
       " (other names: RecordOptions, prompt_field and its like)");
}

}  // namespace detail

GRAFT_INLINE Record parse_record(std::string_view line, RecordOptions const& options,
                                 std::set<std::string>& ignored_keys) {
  std::vector<std::string> tools;
  auto object = detail::parse_fields(line, options, ignored_keys, &tools);
  auto const has = [&object](std::string const& field) { return !field.empty() && object.contains(field); };
  bool const messages = has(options.messages_field);
  bool const prompt = has(options.prompt_field);
  bool const completion = has(options.completion_field);
  bool const text = has(options.text_field);
  require(messages + (prompt || completion) + text <= 1, "data", "has keys of more than one shape (",
          detail::list_keys(object), "): keep one, or switch the others off by an empty name in RecordOptions");
  require(tools.empty() || messages || (prompt && object[options.prompt_field].is_array()), "data", "has tools beside plain text: only conversations have a place for them");
  if (text) return TextRecord{std::move(detail::string_of(object[options.text_field], options.text_field))};
  if (messages) {
    auto& value = object[options.messages_field];
    require(value.is_array(), "data", options.messages_field, " must be a list of messages: got ", value.type_name());
    MessagesRecord record{detail::take_messages(value, options.messages_field, ignored_keys, detail::ToolUse::taken), std::move(tools)};
    require(std::ranges::any_of(record.messages, [](Message const& m) { return m.role == "assistant"; }), "data",
            options.messages_field, " has no assistant turn: nothing to learn");
    return record;
  }
  if (!prompt && !completion) detail::fail_unknown_shape(object, options);
  require(completion || !(object.contains("chosen") || object.contains("rejected")), "data",
          "is a preference record (chosen, rejected): fine-tuning takes messages, prompt and completion, or text");
  require(completion, "data", "has ", options.prompt_field, " but no ", options.completion_field);
  require(prompt, "data", "has ", options.completion_field, " but no ", options.prompt_field);
  auto& question = object[options.prompt_field];
  auto& answer = object[options.completion_field];
  for (auto const& [value, field] : {std::pair{&question, &options.prompt_field}, {&answer, &options.completion_field}})
    require(value->is_string() || value->is_array(), "data", *field, " must be a string or a list of messages: got ",
            value->type_name());
  require(question.is_string() == answer.is_string(), "data", options.prompt_field, " and ", options.completion_field,
          " must both be strings or both be lists of messages: got ", question.type_name(), " and ",
          answer.type_name());
  if (question.is_string())
    return PromptCompletionRecord{std::move(question.get_ref<std::string&>()),
                                  std::move(answer.get_ref<std::string&>())};
  ChatPromptCompletionRecord record{detail::take_messages(question, options.prompt_field, ignored_keys, detail::ToolUse::taken),
                                    detail::take_messages(answer, options.completion_field, ignored_keys, detail::ToolUse::taken),
                                    std::move(tools)};
  require(record.completion.front().role == "assistant", "data", options.completion_field,
          "[0].role must be assistant: got ", record.completion.front().role);
  return record;
}

GRAFT_INLINE MessagesRecord parse_conversation(std::string_view line) {
  std::vector<std::string> tools;
  std::set<std::string> ignored_keys;
  auto object = detail::parse_fields(line, RecordOptions{}, ignored_keys, &tools);
  require(object.contains("messages") && object["messages"].is_array(), "data", "must have messages, a list: has ", detail::list_keys(object));
  return {detail::take_messages(object["messages"], "messages", ignored_keys, detail::ToolUse::taken), std::move(tools)};
}

GRAFT_INLINE Prompt parse_prompt(std::string_view line, RecordOptions const& options,
                                 std::set<std::string>& ignored_keys) {
  auto object = detail::parse_fields(line, options, ignored_keys);
  auto const has = [&object](std::string const& field) { return !field.empty() && object.contains(field); };
  bool const prompt = has(options.prompt_field);
  bool const messages = has(options.messages_field);
  require(!(prompt && messages), "data", "has both ", options.prompt_field, " and ", options.messages_field,
          ": keep one");
  require(prompt || messages, "data", "must have ", options.prompt_field, " or ", options.messages_field, ": has ",
          detail::list_keys(object));
  std::string const& field = prompt ? options.prompt_field : options.messages_field;
  auto& value = object[field];
  if (prompt && value.is_string()) return std::move(value.get_ref<std::string&>());
  require(value.is_array(), "data", field, " must be ", prompt ? "a string or " : "", "a list of messages: got ",
          value.type_name());
  auto list = detail::take_messages(value, field, ignored_keys);
  require(list.back().role != "assistant", "data", field, " ends with an assistant turn: nothing to answer");
  return list;
}

}  // namespace graft
