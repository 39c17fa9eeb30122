// SPDX-License-Identifier: Apache-2.0
#include <graft/text/chat_format.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <string>
#include <vector>

using namespace graft;
using test::message_of;

namespace {

std::string text_of(std::vector<Segment> const& segments) {
  std::string out;
  for (Segment const& segment : segments) out += segment.text;
  return out;
}

std::string supervised(std::vector<Segment> const& segments) {
  std::string out;
  for (Segment const& segment : segments) out += segment.supervised ? segment.text + "|" : "";
  return out;
}

std::vector<Message> const short_talk{{"system", "S"}, {"user", " Q "}, {"assistant", "A\n"}, {"user", "R"}, {"assistant", "B"}};

}  // namespace

TEST_CASE("chat format: the named formats") {
  auto const render = [](char const* name) { return text_of(ChatFormat::named(name).render(short_talk)); };
  CHECK(render("chatml") ==
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\n Q <|im_end|>\n<|im_start|>assistant\nA\n<|im_end|>\n"
        "<|im_start|>user\nR<|im_end|>\n<|im_start|>assistant\nB<|im_end|>\n");
  CHECK(render("llama3") ==
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nQ"
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nR"
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nB<|eot_id|>");
  CHECK(render("gemma") ==
        "<bos><start_of_turn>user\nS\n\nQ<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nR<end_of_turn>\n"
        "<start_of_turn>model\nB<end_of_turn>\n");
  CHECK(render("mistral") == "<s> [INST] S\n\n Q  [/INST] A\n</s> [INST] R [/INST] B</s>");
  CHECK(render("zephyr") == "<|system|>\nS</s>\n<|user|>\n Q </s>\n<|assistant|>\nA\n</s>\n<|user|>\nR</s>\n<|assistant|>\nB</s>\n");
  CHECK(render("plain") == "S\n\nUser:\n Q \n\nAssistant:\nA\n\n\nUser:\nR\n\nAssistant:\nB\n\n");
  CHECK(render("llama3.1").find("\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nS<|eot_id|>") !=
        std::string::npos);
  for (std::string const& name : ChatFormat::names()) CHECK(ChatFormat::named(name).name() == name);
}

TEST_CASE("chat format: what the assistant learns is all after the generation prompt") {
  CHECK(supervised(ChatFormat::named("chatml").render(short_talk)) == "A\n|<|im_end|>\n|B|<|im_end|>\n|");
  CHECK(supervised(ChatFormat::named("mistral").render(short_talk)) == " |A\n|</s>| |B|</s>|");
  CHECK(supervised(ChatFormat::named("gemma").render(short_talk)) == "A|<end_of_turn>\n|B|<end_of_turn>\n|");
  auto const segments = ChatFormat::named("chatml").render(short_talk, {.add_generation_prompt = true});
  CHECK(!segments.back().supervised);
  CHECK(segments.back().message == -1);
  CHECK(segments.back().text == "<|im_start|>assistant\n");
}

TEST_CASE("chat format: roles and order that a format refuses") {
  auto const complaint = [](char const* name, std::vector<Message> const& messages) {
    return message_of([&] { (void)ChatFormat::named(name).render(messages); });
  };
  CHECK(complaint("chatml", {}) == "[chat] a conversation must have at least one message: got none for format chatml");
  CHECK(complaint("zephyr", {{"user", "a"}, {"tool", "b"}}) ==
        "[chat] a role of format zephyr must be one of assistant, system, user: got \"tool\" in message 1");
  CHECK(complaint("gemma", {{"user", "a"}, {"user", "b"}}) ==
        "[chat] in format gemma user and assistant must take turns, the user first: message 1 has role \"user\"");
  CHECK(complaint("gemma", {{"assistant", "a"}}).find("message 0 has role \"assistant\"") != std::string::npos);
  CHECK(complaint("gemma", {{"system", "a"}}).find("there is no user message") != std::string::npos);
  CHECK(complaint("gemma", {{"user", "a"}, {"system", "b"}}).find("only at the start: message 1") != std::string::npos);
  CHECK(complaint("gemma2", {{"system", "a"}, {"user", "b"}}) == "[chat] format gemma2 has no system role: message 0 is one");
  CHECK(complaint("chatml", {{"user", "a"}, {"system", "b"}}) == "no error");
  CHECK(message_of([] { (void)ChatFormat::named("vicuna"); }) ==
        "[chat] a chat format must be one of chatml, llama3, llama3.1, gemma, gemma2, mistral, zephyr, plain, or defined by a "
        "ChatFormatSpec: got \"vicuna\"");
}

TEST_CASE("chat format: one's own") {
  ChatFormat const format({.name = "mine",
                           .begin = "^",
                           .roles = {{"system", {"[", "]"}}, {"user", {"<u>", "</u>"}}, {"assistant", {"<a>: ", "</a>"}}},
                           .generation_prompt = "<a>",
                           .end_of_turn = "</a>",
                           .default_system = "D"});
  std::vector<Message> const talk{{"user", "q"}, {"assistant", "r"}};
  CHECK(text_of(format.render(talk)) == "^[D]<u>q</u><a>: r</a>");
  CHECK(supervised(format.render(talk)) == ": |r|</a>|");
  CHECK(message_of([] { ChatFormat({.roles = {{"user", {}}}}); }).find("must define the role \"assistant\"") != std::string::npos);
  CHECK(message_of([] { ChatFormat({.roles = {{"user", {}}, {"assistant", {"a", ""}}}, .generation_prompt = "b"}); })
            .find("must begin with the generation prompt") != std::string::npos);
  CHECK(message_of([] { ChatFormat({.roles = {{"user", {}}, {"assistant", {}}}, .default_system = "x"}); })
            .find("needs a system turn") != std::string::npos);
}

TEST_CASE("chat format: content is trimmed as Python does where the format asks for it") {
  std::vector<Message> const talk{{"user", "\x1c\u3000\u0085 a\u200b \t\x0b\n"}, {"assistant", " \n "}};
  CHECK(text_of(ChatFormat::named("gemma").render(talk)) ==
        "<bos><start_of_turn>user\na\u200b<end_of_turn>\n<start_of_turn>model\n<end_of_turn>\n");
}
