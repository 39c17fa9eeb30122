// SPDX-License-Identifier: Apache-2.0
#include <graft/data/tool_json.hpp>

#include <graft/data/record.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <variant>

using namespace graft;

TEST_CASE("tool json: one line as Python's json.dumps writes it") {
  auto const again = [](char const* text) { return detail::python_json(nlohmann::ordered_json::parse(text)); };
  CHECK(again(R"({"z":1,"a":[true,null,-2,"\u00e9\n"],"e":{},"l":[]})") == R"({"z": 1, "a": [true, null, -2, "é\n"], "e": {}, "l": []})");
  // What Python prints for the same literals.
  CHECK(again("[0.1,1e-5,0.0001,100000.0,1e15,2.5e15,9007199254740993.0,1e16,1.5e300,-0.0]") ==
        "[0.1, 1e-05, 0.0001, 100000.0, 1000000000000000.0, 2500000000000000.0, 9007199254740992.0, 1e+16, 1.5e+300, -0.0]");
}

TEST_CASE("tool json: a record's tools, calls and results are kept in the order of their keys") {
  std::set<std::string> ignored;
  auto const record = std::get<MessagesRecord>(parse_record(
      R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"z": 1, "a": 2}}},
      {"name": "g", "arguments": "{}"}]}, {"role": "tool", "tool_call_id": "1", "content": "r"}], "tools": [{"name": "f", "a": 1}]})", {}, ignored));
  CHECK(record.tools == std::vector<std::string>{R"({"name": "f", "a": 1})"});
  REQUIRE(record.messages.size() == 3);
  CHECK(record.messages[1].content.empty());
  CHECK(record.messages[1].tool_calls == std::vector<ToolCall>{{"f", R"({"z": 1, "a": 2})"}, {"g", "{}", true}});
  CHECK(record.messages[2] == Message{"tool", "r"});
  CHECK(ignored == std::set<std::string>{"messages[].tool_call_id"});

  auto const as_text = parse_record(R"({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}], "tools": "[{\"b\":1,\"a\":2}]"})", {}, ignored);
  CHECK(std::get<ChatPromptCompletionRecord>(as_text).tools == std::vector<std::string>{R"({"b": 1, "a": 2})"});
}
