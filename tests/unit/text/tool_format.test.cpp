// SPDX-License-Identifier: Apache-2.0
#include <graft/text/tool_format.hpp>

#include <graft/text/chat_format.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <string>
#include <vector>

// Lists, calls and results of tools in formats of one's own; tests/parity/chat.test.cpp compares known templates with transformers.

using namespace graft;
using test::message_of;

namespace {

ChatFormatSpec with_tools(ToolFormatSpec tools) {
  ChatFormatSpec spec{.name = "mine", .roles = {{"system", {"[s]", "\n"}}, {"user", {"[u]", "\n"}}, {"assistant", {"[a]", "\n"}}}, .generation_prompt = "[a]"};
  spec.tools = std::move(tools);
  return spec;
}

std::vector<std::string> const tools{R"({"name": "f"})", R"({"name": "g"})"};
Message const call{"assistant", "I look.", {{.name = "f", .arguments = R"({"x": 1})"}, {.name = "g", .arguments = "1", .arguments_are_text = true}}};

std::string render(ToolFormatSpec const& spec, std::vector<Message> const& messages, std::vector<std::string> const& offered = {}) {
  std::string out;
  for (Segment const& segment : ChatFormat(with_tools(spec)).render(messages, {.tools = offered})) out += segment.supervised ? "<" + segment.text + ">" : segment.text;
  return out;
}

std::string complaint(ToolFormatSpec const& spec, std::vector<Message> const& messages, std::vector<std::string> const& offered = {}) {
  return message_of([&] { (void)render(spec, messages, offered); });
}

}  // namespace

TEST_CASE("tool format: JSON strings and layout are those of Python's json.dumps") {
  CHECK(detail::json_quoted("a\"\\/\n\r\t\b\f\x01\x1f\x7f\u00e9") == "\"a\\\"\\\\/\\n\\r\\t\\b\\f\\u0001\\u001f\x7f\u00e9\"");
  CHECK(detail::json_indented(R"({"a": [1, {"b,{": "}\""}], "c": {}, "d": []})", 2) ==
        "{\n  \"a\": [\n    1,\n    {\n      \"b,{\": \"}\\\"\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}");
  CHECK(detail::json_indented("[]", 4) == "[]");
}

TEST_CASE("tool format: where the list stands") {
  ToolFormatSpec at_system{.system_separator = "; ", .list = {"T(", ")"}, .tool = {"+", ""}};
  CHECK(render(at_system, {{"user", "q"}}, tools) == "[s]T(+{\"name\": \"f\"}+{\"name\": \"g\"})\n[u]q\n");
  CHECK(render(at_system, {{"system", "S"}, {"user", "q"}}, tools).starts_with("[s]S; T(+{"));
  CHECK(render(at_system, {{"system", "S"}, {"user", "q"}}) == "[s]S\n[u]q\n");
  ToolFormatSpec at_user{.placement = ToolPlacement::first_user_begin, .system_prefix = "[S!]", .tool = {"", "|"}};
  CHECK(render(at_user, {{"system", "S"}, {"user", "q"}, {"assistant", "r"}, {"user", "s"}}, {tools[0]}) == "[S!]S\n[u]{\"name\": \"f\"}|q\n[a]<r><\n>[u]s\n");
  CHECK(complaint(at_user, {{"system", "S"}}, tools).find("there is none") != std::string::npos);
  CHECK(complaint(at_user, {{"assistant", "S"}}, tools).find("message 0 has role \"assistant\"") != std::string::npos);
}

TEST_CASE("tool format: calls are learnt, results are not") {
  ToolFormatSpec spec{.results = {"(", ")"}, .result = {"{", "}"}, .results_share_turn = true};
  CHECK(render(spec, {{"user", "q"}, call, {"tool", "1"}, {"tool", "2"}, {"assistant", "r"}}) ==
        "[u]q\n[a]<I look.\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n{\"name\": \"g\", \"arguments\": \"1\"}><\n>({1}{2})[a]<r><\n>");
  spec.results_share_turn = false;
  spec.result_as_json = spec.raw_text_arguments = spec.call_replaces_content = true;
  CHECK(render(spec, {call, {"tool", "1"}, {"tool", "2"}}) ==
        "[a]<{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n{\"name\": \"g\", \"arguments\": 1}><\n>({\"1\"})({\"2\"})");
}

TEST_CASE("tool format: what a format has no place for is an error") {
  CHECK(complaint({.single_call = true}, {call}) == "[chat] a message of format mine calls one tool at a time: message 0 calls 2");
  CHECK(complaint({}, {{"user", "q", call.tool_calls}}).find("has no form for tool_calls of the role \"user\": message 0") != std::string::npos);
  CHECK(message_of([] { (void)ChatFormat::named("chatml").render(std::vector<Message>{call}); }).find("format chatml has no form for tool_calls") != std::string::npos);
  CHECK(message_of([] { (void)ChatFormat::named("chatml").render(std::vector<Message>{{"user", "q"}}, {.tools = tools}); }) ==
        "[chat] format chatml has no place for a list of tools: got 2");
  CHECK(message_of([] { ChatFormat({.roles = {{"user", {}}, {"assistant", {}}}, .tools = ToolFormatSpec{}}); }).find("need one") != std::string::npos);
}
