// SPDX-License-Identifier: Apache-2.0
#include <graft/data/chat_data.hpp>

#include <doctest/doctest.h>
#include <graft/data/validate.hpp>
#include <graft/text/byte_level_spec.hpp>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

constexpr char chatml_template[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
    "'\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

Tokenizer make_tokenizer(std::string const& chat_template = chatml_template) {
  TokenizerSpec spec = byte_level_spec();
  spec.chat_template = chat_template;
  return Tokenizer(spec);
}

std::string conversation(std::string const& answer) {
  return R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": ")" + answer + "\"}]}\n";
}

std::string const pair =
    R"({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]})"
    "\n";
std::string const strings = "{\"prompt\": \"p\", \"completion\": \"c\"}\n";
std::string const text = "{\"text\": \"t\"}\n";

}  // namespace

TEST_CASE("chat data: one file may hold all four shapes") {
  TemporaryDirectory folder;
  std::string const path = (folder / "train.jsonl").string();
  write_file(path, conversation("a") + pair + strings + text);
  auto const tokenizer = make_tokenizer();
  auto data = ChatData{path, tokenizer, {.tokens_per_batch = 2048, .seed = 7}};
  CHECK(data.size() == 4);
  CHECK(data.report().supervised_tokens == 3 + 3 + 2 + 1);
  Index batches = 0;
  for (auto const& batch : data.epochs(3)) {
    ++batches;
    CHECK(batch.sequences() == 4);
    CHECK_NOTHROW(validate(batch, tokenizer.size()));
    CHECK(batch.normalizer == 9);
  }
  CHECK(batches == 3);
}

TEST_CASE("chat data: a template is needed by conversations only, and one that is missing or unknown is said once") {
  TemporaryDirectory folder;
  std::string const path = (folder / "d.jsonl").string();
  write_file(path, strings + text);
  CHECK_NOTHROW(ChatData(path, make_tokenizer(""), {.batch_size = 2}));
  write_file(path, text + conversation("a") + pair + conversation("b"));
  for (auto const* jinja : {"", "{{ messages | surprise }}"}) {
    std::string const message = message_of([&] { ChatData(path, make_tokenizer(jinja), {.batch_size = 2}); });
    CHECK(message.starts_with("[data] " + path + " has 3 bad lines:\n  " + path + ":2: [chat] "));
    CHECK(message.ends_with("(also lines 3, 4)"));
    CHECK(message.find("chatml") != message.npos);
    CHECK_NOTHROW(ChatData(path, make_tokenizer(jinja), {.batch_size = 2, .chat_format = ChatFormat::named("chatml")}));
  }
}

TEST_CASE("chat data: bad JSON and conversations that the format refuses come in one error") {
  TemporaryDirectory folder;
  std::string const path = (folder / "d.jsonl").string();
  write_file(path, R"({"messages": [{"role": "assistant", "content": "a"}]})"
                   "\n{broken\n" +
                       text);
  TokenizerSpec const spec = byte_level_spec({.eos = "<end_of_turn>", .others = {}});
  std::string const message = message_of(
      [&] { ChatData(path, Tokenizer(spec), {.batch_size = 1, .chat_format = ChatFormat::named("gemma")}); });
  CHECK(message.starts_with("[data] " + path + " has 2 bad lines:\n  " + path +
                            ":1: [chat] in format gemma user and assistant"));
  CHECK(message.find("\n  " + path + ":2: is not valid JSON: column 2") != message.npos);
}

TEST_CASE("chat data: options are checked before the file is read") {
  CHECK(message_of([] { ChatData("/nowhere", make_tokenizer(), {}); }) ==
        "[data] batch_size or tokens_per_batch must be given");
  CHECK(message_of([] { ChatData("/nowhere", make_tokenizer(), {.batch_size = 1}); }) ==
        "[data] /nowhere cannot be opened: No such file or directory");
}

TEST_CASE("chat data: the options reach what they are for") {
  TemporaryDirectory folder;
  std::string const path = (folder / "d.jsonl").string();
  std::string content;
  for (int i = 0; i < 9; ++i) content += conversation(std::string(static_cast<std::size_t>(i + 1), 'a'));
  write_file(path, content);
  ChatData data(
      path, make_tokenizer(),
      {.batch_size = 4, .tokens_per_batch = 90, .max_length = 40, .shuffle = false, .gradient_accumulation = 2});
  CHECK(data.report().max_length == 40);
  CHECK(data.steps_per_epoch() == 3);
  auto const step = data.next_step();
  REQUIRE(step.size() == 2);
  CHECK(step[0].records == std::vector<Index>{0, 1});
  CHECK(step[1].records == std::vector<Index>{2, 3});
  CHECK(step[0].normalizer == (1 + 2 + 3 + 4) + 4 * 2);

  write_file(path, R"({"question": "q", "answer": "a"})");
  ChatData const renamed(path, make_tokenizer(),
                         {.batch_size = 1, .fields = {.prompt_field = "question", .completion_field = "answer"}});
  CHECK(renamed.report().supervised_tokens == 2);
}
