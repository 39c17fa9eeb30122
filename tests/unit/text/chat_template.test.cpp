// SPDX-License-Identifier: Apache-2.0
#include <graft/text/chat_format.hpp>

#include <graft/text/byte_level_spec.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <string>

// Recognition of templates; tests/parity/chat.test.cpp compares renderings with transformers'.

using namespace graft;
using test::message_of;

namespace {

std::string const chatml_turn = "{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}";

std::string refusal(std::string const& source) {
  return message_of([&] { (void)ChatFormat::recognise(source); });
}

}  // namespace

TEST_CASE("chat template: the default system message is read out of the template") {
  auto const format = [](std::string const& system) {
    return ChatFormat::recognise("{% if x %}{{ " + system + " }}{% endif %}" + chatml_turn).spec();
  };
  CHECK(format("'<|im_start|>system\\nYou are X.<|im_end|>\\n'").default_system == "You are X.");
  CHECK(format("\"<|im_start|>system\\nIt's \\\"X\\\".\\nOk<|im_end|>\\n\"").default_system == "It's \"X\".\nOk");
  CHECK(format("'<|im_start|>system\\n' + 'a' + 'b' + '<|im_end|>\\n'").default_system == "ab");
  CHECK(!format("'<|im_start|>system\\n' + m['content'] + '<|im_end|>\\n'").default_system);
  CHECK(!format("''").default_system);
}

TEST_CASE("chat template: variations within a family") {
  CHECK(!ChatFormat::recognise(chatml_turn).spec().trim);
  CHECK(ChatFormat::recognise("{{ '<|im_start|>' + m.role + '\\n' + m.content | trim + '<|im_end|>\\n' }}").spec().trim);
  CHECK(ChatFormat::recognise("{{ bos_token }}" + chatml_turn, {.bos = "<B>"}).spec().begin == "<B>");
  CHECK(ChatFormat::recognise(chatml_turn, {.bos = "<B>"}).spec().begin.empty());
  std::string const llama = "{{ bos_token + '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim + '<|eot_id|>' }}";
  CHECK(ChatFormat::recognise(llama).spec().always_generation_prompt);
  CHECK(!ChatFormat::recognise(llama + "{% if add_generation_prompt %}{% endif %}").spec().always_generation_prompt);
  CHECK(ChatFormat::recognise(llama, {.bos = "<B>"}).spec().begin == "<B>");
}

TEST_CASE("chat template: what is not rendered exactly is an error that lists the formats") {
  for (std::string const source : {"", "{{ m.content }}", "### Instruction: {{ m.content }}"}) {
    std::string const text = refusal(source);
    CAPTURE(text);
    CHECK(text.starts_with("[chat] this chat template is not one that graft renders exactly ("));
    CHECK(text.find("Known formats: chatml, llama3, llama3.1, gemma, gemma2, mistral, zephyr, plain.") != std::string::npos);
    CHECK(text.find("define your own with a ChatFormatSpec") != std::string::npos);
  }
  CHECK(refusal(chatml_turn + "{% if '<think>' in x %}{% endif %}").find("thinking blocks") != std::string::npos);
  CHECK(refusal("{{ '<|im_start|>' + m.role + ': ' + m.content + '<|im_end|>' }}").find("written otherwise") != std::string::npos);
  CHECK(refusal("{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' }}").find("written otherwise") != std::string::npos);
  CHECK(refusal("{% if (loop.last and add_generation_prompt) or not loop.last %}{% endif %}" + chatml_turn).find("otherwise") !=
        std::string::npos);
  CHECK(refusal("{{ '<|start_header_id|>' + strftime_now('%d') + '<|eot_id|>' }}").find("date of today") != std::string::npos);
  CHECK(refusal("{{ '<|start_header_id|>' }}").find("do not end in <|eot_id|>") != std::string::npos);
  CHECK(refusal("{{ '[INST] <<SYS>>' + m.content }}").find("Llama 2") != std::string::npos);
  CHECK(refusal("{{ '[INST]: ' + m.content + '[/INST]' }}{{ m.content + eos_token }}").find("[INST] turn") != std::string::npos);
  CHECK(refusal("{{ '[INST] ' + m.content + ' [/INST]' }}{{ m.content }}").find("assistant's turn") != std::string::npos);
  CHECK(refusal("{{ '<|user|>\\n' + m.content + '<|end|>\\n' }}{{ '<|assistant|>\\n' }}").find("<|user|> turns") != std::string::npos);
}

TEST_CASE("chat template: broken Jinja is no crash") {
  for (std::string const source : {"{{", "{{ '", "{{ 'a\\", "{{ '<|im_start|>\\", "}}{{ [ '<|im_start|>' }}", "{{ \"<|im_start|>' }}"})
    CHECK(refusal(source).starts_with("[chat] this chat template"));
}

TEST_CASE("chat template: the system message of Mistral goes into the first user message only if the template does so") {
  std::string const turns = "{{ '[INST] ' + m['content'] + '[/INST]' }}{% else %}{{ ' ' + m['content'] + eos_token }}";
  CHECK(ChatFormat::recognise(turns).spec().system == SystemPlacement::refused);
  CHECK(ChatFormat::recognise("{% if loop.last and system_message %}{{ '[INST] ' + system_message + '\\n\\n' + m['content'] + "
                              "'[/INST]' }}{% endif %}" + turns).spec().system == SystemPlacement::refused);
  CHECK(ChatFormat::recognise("{% if loop.first and system_message %}{{ '[INST] ' + system_message + '\\n\\n' + m['content'] + "
                              "'[/INST]' }}{% endif %}" + turns).spec().system == SystemPlacement::first_user);
}

TEST_CASE("chat template: that of a tokenizer with its special tokens") {
  TokenizerSpec spec = byte_level_spec();
  CHECK(message_of([&] { (void)ChatFormat::recognise(spec); }).find("has no chat template: name a format, one of chatml") !=
        std::string::npos);
  spec.chat_template = "{% if m.role == 'user' %}{{ '<|user|>\\n' + m.content + eos_token }}\n{% else %}{{ '<|assistant|>' }}\n";
  ChatFormat const format = ChatFormat::recognise(spec);
  CHECK(format.name() == "zephyr");
  CHECK(format.end_of_turn() == "<|im_end|>");
}
