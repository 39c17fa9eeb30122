// SPDX-License-Identifier: Apache-2.0
#include <graft/text/chat_format.hpp>

#include <doctest/doctest.h>
#include <graft/data/record.hpp>
#include <nlohmann/json.hpp>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

// What transformers renders for small templates written like those of known models; chat_goldens.py made the file.

using namespace graft;
using json = nlohmann::ordered_json;

namespace {

std::string text_of(std::vector<Segment> const& segments) {
  std::string out;
  for (Segment const& segment : segments) out += segment.text;
  return out;
}

/// Whether graft refuses the conversation: its format has no place for tools, where a template leaves them out or takes any role.
bool uses_what_is_missing(ChatFormat const& format, MessagesRecord const& conversation) {
  bool const calls = std::ranges::any_of(conversation.messages, [](Message const& m) { return !m.tool_calls.empty(); });
  bool const results = std::ranges::any_of(conversation.messages, [](Message const& m) { return m.role == "tool"; });
  if (format.spec().tools) return false;
  return calls || !conversation.tools.empty() || (results && !format.spec().roles.contains("tool"));
}

struct Counts {
  int rendered = 0, refused = 0;
};

Counts check_templates(std::filesystem::path const& file) {
  auto const templates = json::parse(test::read_file(file));
  int rendered = 0, refused = 0;
  for (auto const& entry : templates) {
    auto const name = entry["name"].get<std::string>();
    CAPTURE(name);
    ChatFormat const format = ChatFormat::recognise(
        entry["template"].get<std::string>(), {.bos = entry["bos"].get<std::string>(), .eos = entry["eos"].get<std::string>()});
    CHECK(name.starts_with(format.name()));
    CHECK(format.spec().tools.has_value() == (name.find("with tools") != std::string::npos));
    for (auto const& golden : entry["cases"]) {
      MessagesRecord const conversation = parse_conversation(golden.dump());
      auto const& messages = conversation.messages;
      bool const missing = uses_what_is_missing(format, conversation);
      if (golden["text"].is_null() || missing) {
        std::string const why = test::message_of([&] { (void)format.render(messages, {.tools = conversation.tools}); });
        CHECK(why.find(missing ? name.substr(0, format.name().size()) : "message") != std::string::npos);
        ++refused;
        continue;
      }
      ++rendered;
      auto const segments = format.render(messages, {.tools = conversation.tools});
      CHECK(text_of(segments) == golden["text"].get<std::string>());
      CHECK(text_of(format.render(messages, {.add_generation_prompt = true, .tools = conversation.tools})) == golden["asking"].get<std::string>());

      std::vector<std::string> learnt;
      int last = -1;
      for (Segment const& segment : segments) {
        if (!segment.supervised) continue;
        REQUIRE(segment.message >= 0);
        CHECK(messages[static_cast<std::size_t>(segment.message)].role == "assistant");
        if (segment.message != last) learnt.emplace_back();
        last = segment.message;
        learnt.back() += segment.text;
      }
      CHECK(learnt == golden["spans"].get<std::vector<std::string>>());
    }
  }
  return {rendered, refused};
}

}  // namespace

TEST_CASE("chat: recognised templates render as transformers does, and learn what follows each prompt") {
  auto const [rendered, refused] = check_templates(test::fixtures / "text/chat.json");
  CHECK(rendered > 90);
  CHECK(refused >= 20);
}

// chat_goldens.py --trl > FILE; GRAFT_CHAT_GOLDENS=FILE graft_test_parity -tc='chat*'
TEST_CASE("chat: templates of real models that are not in the repository") {
  if (char const* file = std::getenv("GRAFT_CHAT_GOLDENS"); file != nullptr) CHECK(check_templates(file).rendered > 50);
}
