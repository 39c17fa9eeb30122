// SPDX-License-Identifier: Apache-2.0
#include <graft/data/record.hpp>

#include <doctest/doctest.h>
#include <graft/core/rng.hpp>
#include <support/message_of.hpp>

#include <set>
#include <string>
#include <variant>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

template <class Kind>
Kind parse_as(std::string_view line, RecordOptions const& options = {}) {
  std::set<std::string> ignored;
  Record const record = parse_record(line, options, ignored);
  REQUIRE(std::holds_alternative<Kind>(record));
  return std::get<Kind>(record);
}

std::set<std::string> ignored_in(std::string_view line) {
  std::set<std::string> ignored;
  static_cast<void>(parse_record(line, {}, ignored));
  return ignored;
}

std::string reason(std::string_view line, RecordOptions const& options = {}) {
  std::set<std::string> ignored;
  return message_of([&] { static_cast<void>(parse_record(line, options, ignored)); });
}

std::string nested(int depth) {
  return R"({"text": "a", "extra": )" + std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']') + "}";
}

}  // namespace

TEST_CASE("record: the four shapes of TRL are told by their keys") {
  CHECK(parse_as<TextRecord>(R"({"text": "a\nb"})").text == "a\nb");
  auto const strings = parse_as<PromptCompletionRecord>(R"({"completion": "", "prompt": "p"})");
  CHECK(strings.prompt == "p");
  CHECK(strings.completion.empty());
  auto const chat = parse_as<MessagesRecord>(
      R"({"messages": [{"role": "user", "content": "q"}, {"content": "a", "role": "assistant"}, {"role": "user", "content": "bye"}]})");
  REQUIRE(chat.messages.size() == 3);
  CHECK(chat.messages[1].role == "assistant");
  CHECK(chat.messages[1].content == "a");
  auto const both = parse_as<ChatPromptCompletionRecord>(
      R"({"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]})");
  CHECK(both.prompt.size() == 2);
  CHECK(both.completion.size() == 1);
}

TEST_CASE("record: null values count as absent, so that exports with all columns can be read") {
  CHECK(parse_as<TextRecord>(R"({"text": "a", "messages": null, "prompt": null, "tools": null})").text == "a");
  CHECK(
      parse_as<MessagesRecord>(
          R"({"messages": [{"role": "assistant", "content": "a", "tool_calls": null, "name": null}], "text": null, "tools": []})")
          .messages.size() == 1);
}

TEST_CASE("record: text in parts is joined") {
  auto const record = parse_as<MessagesRecord>(
      R"({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]}, {"role": "user", "content": []}]})");
  CHECK(record.messages[0].content == "a b");
  CHECK(record.messages[1].content.empty());
}

TEST_CASE("record: escapes are bytes of UTF-8 as JSON says, an escaped NUL included") {
  CHECK(parse_as<TextRecord>(R"({"text": "\u00e9\ud83d\ude00"})").text == "\xc3\xa9\xf0\x9f\x98\x80");
  CHECK(parse_as<TextRecord>(R"({"text": "a\u0000b"})").text == std::string("a\0b", 3));
}

TEST_CASE("record: keys that no shape uses are listed, those of messages too") {
  CHECK(ignored_in(R"({"text": "a"})").empty());
  CHECK(ignored_in(R"({"text": "a", "id": 1, "meta": {"deep": [1, 2]}, "label": true, "gone": null})") ==
        std::set<std::string>{"id", "label", "meta"});
  CHECK(ignored_in(R"({"messages": [{"role": "assistant", "content": "a", "weight": 0}]})") ==
        std::set<std::string>{"messages[].weight"});
}

TEST_CASE("record: other field names, and shapes switched off") {
  RecordOptions const answers{.prompt_field = "question", .completion_field = "answer"};
  CHECK(parse_as<PromptCompletionRecord>(R"({"question": "q", "answer": "a", "prompt": "x"})", answers).completion ==
        "a");
  CHECK(
      reason(R"({"prompt": "q", "completion": "a"})", answers) ==
      "[data] must have messages; or question and answer; or text: has completion, prompt (other names: RecordOptions, "
      "prompt_field and its like)");
  CHECK(parse_as<PromptCompletionRecord>(R"({"prompt": "q", "completion": "a", "text": "qa"})", {.text_field = ""})
            .prompt == "q");
}

TEST_CASE("record: each malformed line gets its sentence") {
  struct Case {
    std::string line;
    std::string reason;
  };
  std::string const shapes = "must have messages; or prompt and completion; or text: has ";
  std::string const names = " (other names: RecordOptions, prompt_field and its like)";
  for (Case const& c : {
           Case{"{}", shapes + "none" + names},
           Case{R"({"question": "q", "answer": "a"})", shapes + "answer, question" + names},
           Case{R"({"instruction": "q", "input": "", "output": "a"})", shapes + "input, instruction, output" + names},
           Case{R"({"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1})",
                shapes + "a, b, c, d, e, f, g, h, …" + names},
           Case{R"({"text": null})", shapes + "none" + names},
           Case{"[]", "must be a JSON object: got an array (put one record on each line: jq -c '.[]')"},
           Case{"17", "must be a JSON object: got number"},
           Case{R"("text")", "must be a JSON object: got string"},
           Case{"null", "must be a JSON object: got null"},
           Case{R"({"text": 5})", "text must be a string: got number"},
           Case{R"({"text": ["a"]})", "text must be a string: got array"},
           Case{R"({"text": {"a": 1}})", "text must be a string: got object"},
           Case{R"({"prompt": "q"})", "has prompt but no completion"},
           Case{R"({"completion": "a"})", "has completion but no prompt"},
           Case{R"({"prompt": "q", "completion": null})", "has prompt but no completion"},
           Case{
               R"({"prompt": "q", "chosen": "a", "rejected": "b"})",
               "is a preference record (chosen, rejected): fine-tuning takes messages, prompt and completion, or text"},
           Case{
               R"({"chosen": [], "rejected": []})",
               "is a preference record (chosen, rejected): fine-tuning takes messages, prompt and completion, or text"},
           Case{R"({"conversations": [{"from": "human", "value": "q"}]})",
                "has the key conversations (ShareGPT): rename it to messages, with role and content in each"},
           Case{R"({"messages": [{"from": "human", "value": "q"}]})",
                "messages[0] has the keys from and value (ShareGPT): role and content are needed"},
           Case{R"({"prompt": 3, "completion": "a"})", "prompt must be a string or a list of messages: got number"},
           Case{R"({"prompt": "q", "completion": false})",
                "completion must be a string or a list of messages: got boolean"},
           Case{R"({"prompt": "q", "completion": [{"role": "assistant", "content": "a"}]})",
                "prompt and completion must both be strings or both be lists of messages: got string and array"},
           Case{R"({"prompt": [{"role": "user", "content": "q"}], "completion": "a"})",
                "prompt and completion must both be strings or both be lists of messages: got array and string"},
           Case{R"({"prompt": [], "completion": [{"role": "assistant", "content": "a"}]})", "prompt has no messages"},
           Case{R"({"prompt": [{"role": "user", "content": "q"}], "completion": []})", "completion has no messages"},
           Case{R"({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "user", "content": "q"}]})",
                "completion[0].role must be assistant: got user"},
           Case{R"({"text": "a", "messages": [{"role": "assistant", "content": "a"}]})",
                "has keys of more than one shape (messages, text): keep one, or switch the others off by an empty name "
                "in RecordOptions"},
           Case{R"({"text": "a", "prompt": "q"})",
                "has keys of more than one shape (prompt, text): keep one, or switch the others off by an empty name "
                "in RecordOptions"},
           Case{R"({"messages": []})", "messages has no messages"},
           Case{R"({"messages": "hello"})", "messages must be a list of messages: got string"},
           Case{R"({"messages": {"role": "user"}})", "messages must be a list of messages: got object"},
           Case{R"({"messages": ["hello"]})", "messages[0] must be {\"role\": …, \"content\": …}: got string"},
           Case{R"({"messages": [{"content": "a"}]})", "messages[0] lacks the key role"},
           Case{R"({"messages": [{"role": "user"}]})", "messages[0] lacks the key content"},
           Case{R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": null}]})",
                "messages[1].content must be text: got null"},
           Case{R"({"messages": [{"role": "user", "content": 7}]})", "messages[0].content must be text: got number"},
           Case{R"({"messages": [{"role": ["user"], "content": "q"}]})",
                "messages[0].role must be a string: got array"},
           Case{R"({"messages": [{"role": "asistant", "content": "q"}]})",
                "messages[0].role must be system, user, assistant or tool: got \"asistant\""},
           Case{R"({"messages": [{"role": "", "content": "q"}]})",
                "messages[0].role must be system, user, assistant or tool: got \"\""},
           Case{R"({"messages": [{"role": "User", "content": "q"}]})",
                "messages[0].role must be system, user, assistant or tool: got \"User\""},
           Case{R"({"messages": [{"role": "x\u0007\u00e9y", "content": "q"}]})",
                "messages[0].role must be system, user, assistant or tool: got \"x?\xc3\xa9y\""},
           Case{R"({"messages": [{"role": ")" + std::string(59, 'x') + "\xc3\xa9\", \"content\": \"q\"}]}",
                "messages[0].role must be system, user, assistant or tool: got \"" + std::string(59, 'x') + "…\""},
           Case{R"({"messages": [{"role": "ipython", "content": "q"}]})",
                "messages[0].role is ipython: what a tool returned has the role tool"},
           Case{R"({"messages": [{"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]})",
                "messages[0].tool_calls[0] must be {\"function\": {\"name\": …, \"arguments\": …}}"},
           Case{R"({"messages": [{"role": "user", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]}]})",
                "messages[0] has tool_calls: only the assistant calls tools, its role is user"},
           Case{R"({"messages": [{"role": "assistant", "content": "", "function_call": {"name": "f"}}]})",
                "messages[0] has function_call: tool_calls are supported instead"},
           Case{R"({"messages": [{"role": "assistant", "tool_calls": []}]})", "messages[0] lacks the key content"},
           Case{R"({"messages": [{"role": "user", "content": "q"}], "tools": ["f"]})", "tools[0] must be a JSON object: got string"},
           Case{R"({"messages": [{"role": "user", "content": "q"}], "tools": "[{]"})", "tools is a string that is not JSON"},
           Case{R"({"messages": [{"role": "user", "content": "q"}], "functions": [{}]})", "has functions: tools are supported instead"},
           Case{R"({"text": "a", "tools": "[{}]"})", "has tools beside plain text: only conversations have a place for them"},
           Case{R"({"text": "a", "chat_template_kwargs": {"enable_thinking": false}})",
                "has chat_template_kwargs: arguments for the template are not supported"},
           Case{R"({"input_ids": [1, 2], "text": "a"})",
                "has input_ids: records that are already tokenised are not supported"},
           Case{R"({"messages": [{"role": "user", "content": "q"}, {"role": "system", "content": "s"}]})",
                "messages has no assistant turn: nothing to learn"},
           Case{R"({"messages": [{"role": "user", "content": [{"type": "image", "image": "x.png"}]}]})",
                "messages[0].content[0] must be {\"type\": \"text\", \"text\": …}: got type image (only text is "
                "supported)"},
           Case{R"({"messages": [{"role": "user", "content": ["q"]}]})",
                "messages[0].content[0] must be {\"type\": \"text\", \"text\": …}: got type none (only text is "
                "supported)"},
           Case{R"({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]})",
                "messages[0].content[0] must be {\"type\": \"text\", \"text\": …}: got type text (only text is "
                "supported)"},
           Case{R"({"text": "a", "text": "b"})", "the key \"text\" stands twice in one object"},
           Case{R"({"messages": [{"role": "user", "role": "assistant", "content": "a"}]})",
                "the key \"role\" stands twice in one object"},
           Case{std::string("{\"text\": \"a\"}\0{\"text\": \"b\"}", 27),
                "holds a NUL byte at column 14: not a text file?"},
           Case{std::string("{\0\"\0t\0", 6), "holds a NUL byte at column 2: not a text file?"},
           Case{nested(65), "is nested deeper than 64 levels"},
           Case{nested(1000000), "is nested deeper than 64 levels"},
       }) {
    CAPTURE(c.line.substr(0, 200));
    CHECK(reason(c.line) == "[data] " + c.reason);
  }
  CHECK(reason(nested(64)) == "no error");
}

TEST_CASE("record: what is not JSON is named with its column, in a bounded printable sentence") {
  struct Case {
    std::string line;
    std::string part;
  };
  for (Case const& c : {
           Case{"hello", "column 1: syntax error"},
           Case{R"({"text": "a")", "column 13: syntax error"},
           Case{R"({"text": "a)", "missing closing quote"},
           Case{R"({'text': 'a'})", "column 2: syntax error"},
           Case{R"({"text": "a",})", "column 14: syntax error"},
           Case{R"({"text": "a"} {"text": "b"})", "column 15: syntax error"},
           Case{R"({"text": NaN})", "column 10: syntax error"},
           Case{R"({"text": "a", "n": 1e999})", "number overflow parsing '1e999'"},
           Case{R"({"text": "a\x"})", "forbidden character after backslash"},
           Case{R"({"text": "\ud800 "})", "surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF"},
           Case{"{\"text\": \"a\xff\"}", "ill-formed UTF-8 byte"},
           Case{"{\"text\": \"\xed\xa0\x80\"}", "ill-formed UTF-8 byte"},
           Case{"{\"text\": \"\xc0\xaf\"}", "ill-formed UTF-8 byte"},
           Case{"{\"text\": \"a\tb\"}", "control character U+0009 (HT) must be escaped"},
           Case{"{\"text\": \"" + std::string(1000000, 'x') + "\xff\"}", "ill-formed UTF-8 byte"},
       }) {
    std::string const message = reason(c.line);
    CAPTURE(c.line.substr(0, 100));
    CAPTURE(message);
    CHECK(message.starts_with("[data] is not valid JSON: "));
    CHECK(message.find(c.part) != message.npos);
    CHECK(message.size() < 260);
    CHECK(message.find_first_of("\xff\xed\xc0\t") == message.npos);
  }
}

TEST_CASE("record: whatever bytes come, they are a record or an error") {
  std::string const seeds[] = {
      R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}]})",
      R"({"prompt": "p\u00e9", "completion": "c", "tools": [], "n": [1.5e3, null, true]})"};
  Rng rng(5);
  int records = 0;
  int errors = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string line = seeds[rng.below(2)];
    for (auto changes = 1 + rng.below(4); changes > 0 && !line.empty(); --changes) {
      std::size_t const at = rng.below(line.size());
      std::size_t const other = rng.below(line.size());
      switch (rng.below(5)) {
        case 0:
          line[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          line.erase(at, 1 + rng.below(8));
          break;
        case 2:
          line.insert(at, line.substr(other, rng.below(20)));
          break;
        case 3:
          line.resize(at + 1);
          break;
        default:
          line.insert(at, 1, "{}[]\",:\\0"[rng.below(9)]);
          break;
      }
    }
    std::string const message = reason(line);
    (message == "no error" ? records : errors) += 1;
    if (message != "no error") CHECK(message.starts_with("[data] "));
    CHECK(message.size() < 600);
  }
  CHECK(records > 100);
  CHECK(errors > 10000);
}

TEST_CASE("record: a prompt is a string or a conversation that someone else than the assistant ends") {
  std::set<std::string> ignored;
  auto const parse = [&ignored](std::string_view line) { return parse_prompt(line, {}, ignored); };
  CHECK(std::get<std::string>(parse(R"({"prompt": "q", "completion": "ignored here", "id": 4})")) == "q");
  CHECK(ignored == std::set<std::string>{"id"});
  CHECK(std::get<std::vector<Message>>(parse(R"({"prompt": [{"role": "user", "content": "q"}]})")).size() == 1);
  CHECK(std::get<std::vector<Message>>(
            parse(R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]})"))
            .size() == 2);
  struct Case {
    std::string line;
    std::string reason;
  };
  for (Case const& c :
       {Case{R"({"text": "a"})", "must have prompt or messages: has text"},
        Case{R"({"prompt": "q", "messages": []})", "has both prompt and messages: keep one"},
        Case{R"({"prompt": 5})", "prompt must be a string or a list of messages: got number"},
        Case{R"({"messages": "q"})", "messages must be a list of messages: got string"},
        Case{R"({"prompt": []})", "prompt has no messages"},
        Case{R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})",
             "messages ends with an assistant turn: nothing to answer"}}) {
    CAPTURE(c.line);
    CHECK(message_of([&] { static_cast<void>(parse(c.line)); }) == "[data] " + c.reason);
  }
}

TEST_CASE("record: blank lines are those of blanks only") {
  for (auto const* line : {"", " ", "\t \r"}) CHECK(is_blank(line));
  for (auto const* line : {"a", " {}", "\xc2\xa0"}) CHECK_FALSE(is_blank(line));
}
