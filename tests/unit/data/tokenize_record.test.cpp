// SPDX-License-Identifier: Apache-2.0
#include <graft/data/tokenize_record.hpp>

#include <doctest/doctest.h>
#include <graft/text/byte_level_spec.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

/// Bytes, ChatML's specials, and the merge of two line ends, which is what joins a prompt's end and an answer.
TokenizerSpec spec() {
  TokenizerSpec spec = byte_level_spec({.others = {"<|end|>"}});
  spec.pre_tokenizer = PreTokenizer::none;
  spec.tokens.push_back("ĊĊ");
  spec.merges = {{'\n', '\n'}};
  return spec;
}

Tokenizer const tokenizer(spec());
ChatFormat const chatml = ChatFormat::named("chatml");

/// The text of a record's tokens, with what is learnt in ⟦ ⟧.
std::string marked(Record const& record, Supervision const& supervision = {}, Tokenizer const& with = tokenizer,
                   ChatFormat const& format = chatml) {
  SupervisedTokens const tokens = tokenize_record(record, with, &format, supervision);
  std::string out;
  Index at = 0;
  auto const text = [&](Index end) {
    auto const part = std::span(tokens.ids).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(end - at));
    at = end;
    return with.decode(part);
  };
  for (TokenSpan const& span : tokens.supervised) {
    out += text(span.begin);
    out += "⟦" + text(span.end) + "⟧";
  }
  return out + text(std::ssize(tokens.ids));
}

}  // namespace

TEST_CASE("tokenize: text is learnt whole and ends with eos once") {
  CHECK(marked(TextRecord{"hello"}) == "⟦hello<|im_end|>⟧");
  CHECK(marked(TextRecord{"hello<|im_end|>"}) == "⟦hello<|im_end|>⟧");
  CHECK(marked(TextRecord{"hello<|im_end|>\n"}) == "⟦hello<|im_end|>\n<|im_end|>⟧");
  CHECK(marked(TextRecord{""}) == "⟦<|im_end|>⟧");
}

TEST_CASE("tokenize: of prompt and completion as strings the completion is learnt, and eos") {
  CHECK(marked(PromptCompletionRecord{"2+2=", "4"}) == "2+2=⟦4<|im_end|>⟧");
  CHECK(marked(PromptCompletionRecord{"q", "a<|im_end|>"}) == "q⟦a<|im_end|>⟧");
  CHECK(marked(PromptCompletionRecord{"", "a"}) == "⟦a<|im_end|>⟧");
  CHECK(marked(PromptCompletionRecord{"q", ""}) == "q⟦<|im_end|>⟧");
  CHECK(marked(PromptCompletionRecord{"é 😀", "日本"}) == "é 😀⟦日本<|im_end|>⟧");
}

TEST_CASE("tokenize: bos stands where the tokenizer adds it, and is never learnt with a completion") {
  TokenizerSpec with = spec();
  with.add_bos = true;
  CHECK(marked(TextRecord{"a"}, {}, Tokenizer(with)) == "⟦<|im_start|>a<|im_end|>⟧");
  CHECK(marked(PromptCompletionRecord{"q", "a"}, {}, Tokenizer(with)) == "<|im_start|>q⟦a<|im_end|>⟧");
  CHECK(marked(PromptCompletionRecord{"", "a"}, {}, Tokenizer(with)) == "<|im_start|>⟦a<|im_end|>⟧");
  with.add_eos = true;
  CHECK(marked(TextRecord{"a"}, {}, Tokenizer(with)) == "⟦<|im_start|>a<|im_end|>⟧");
  CHECK(marked(PromptCompletionRecord{"q", "a"}, {}, Tokenizer(with)) == "<|im_start|>q⟦a<|im_end|>⟧");
  CHECK_FALSE(tokenize_record(PromptCompletionRecord{"q", "a"}, Tokenizer(with), nullptr).merged_at_boundary);
  // A conversation has the specials that its template renders, and no others.
  CHECK(marked(MessagesRecord{{{"assistant", "a"}}}, {}, Tokenizer(with)) == "<|im_start|>assistant\n⟦a<|im_end|>\n⟧");
}

TEST_CASE("tokenize: of a conversation each assistant turn is learnt from its generation prompt to the next turn") {
  MessagesRecord const record{
      {{"system", "s"}, {"user", "q"}, {"assistant", "a"}, {"user", "r"}, {"assistant", "b"}, {"user", "bye"}}};
  CHECK(marked(record) ==
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n⟦a<|im_end|>\n⟧"
        "<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>\n⟧<|im_start|>user\nbye<|im_end|>\n");
  CHECK(marked(record, {.assistant_turns = AssistantTurns::last}) ==
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n"
        "<|im_start|>user\nr<|im_end|>\n<|im_start|>assistant\n⟦b<|im_end|>\n⟧<|im_start|>user\nbye<|im_end|>\n");
  CHECK(marked(MessagesRecord{{{"user", "q"}, {"assistant", ""}}}, {.assistant_only = false}) ==
        "⟦<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n⟧");
}

TEST_CASE("tokenize: a chat completion is learnt from the prompt's end on, other roles' turns too") {
  CHECK(marked(ChatPromptCompletionRecord{{{"user", "q"}}, {{"assistant", "a"}}}) ==
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n⟦a<|im_end|>\n⟧");
  ChatPromptCompletionRecord const record{{{"user", "q"}}, {{"assistant", "a"}, {"user", "r"}, {"assistant", "b"}}};
  CHECK(marked(record) ==
        "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n⟦a<|im_end|>\n<|im_start|>user\nr<|im_end|>\n"
        "<|im_start|>assistant\nb<|im_end|>\n⟧");
  CHECK(tokenize_record(record, tokenizer, &chatml).learns_other_roles);
}

TEST_CASE("tokenize: one assistant turn is learnt alike as messages and as prompt and completion") {
  for (auto const* answer : {"a", "", "  a\n", "日本", "\n\na"})
    for (auto const* name : {"chatml", "llama3", "gemma", "zephyr"}) {
      CAPTURE(name);
      CAPTURE(answer);
      ChatFormat format = ChatFormat::named(name);
      auto spec_of = byte_level_spec({.eos = format.end_of_turn(), .others = {}});
      Tokenizer const with(spec_of);
      std::vector<Message> const prompt = {{"system", "s"}, {"user", "q"}};
      std::vector<Message> all = prompt;
      all.push_back({"assistant", answer});
      CHECK(marked(MessagesRecord{all}, {}, with, format) ==
            marked(ChatPromptCompletionRecord{prompt, {{"assistant", answer}}}, {}, with, format));
    }
}

TEST_CASE("tokenize: a token that joins prompt and completion is learnt and told, or refused") {
  PromptCompletionRecord const strings{"q\n", "\na"};
  CHECK(marked(strings) == "q⟦\n\na<|im_end|>⟧");
  CHECK(tokenize_record(strings, tokenizer, nullptr).merged_at_boundary);
  CHECK_FALSE(tokenize_record(PromptCompletionRecord{"q\n", "a"}, tokenizer, nullptr).merged_at_boundary);
  std::string const refusal =
      "[data] the prompt's 2 tokens are not the first of prompt and completion together: they part at token 1 (a token "
      "joins "
      "the prompt's end and the completion)";
  CHECK(message_of([&] {
          static_cast<void>(tokenize_record(strings, tokenizer, nullptr, {.strict_boundary = true}));
        }) == refusal);

  ChatPromptCompletionRecord const chat{{{"user", "q"}}, {{"assistant", "\na"}}};
  CHECK(marked(chat) == "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant⟦\n\na<|im_end|>\n⟧");
  CHECK(tokenize_record(chat, tokenizer, &chatml).merged_at_boundary);
  CHECK(marked(MessagesRecord{{{"user", "\nq"}, {"assistant", "\na"}, {"user", "\nr"}}}) ==
        "<|im_start|>user\n\nq<|im_end|>\n<|im_start|>assistant⟦\n\na<|im_end|>\n⟧<|im_start|>user\n\nr<|im_end|>\n");
  CHECK(message_of([&] {
          static_cast<void>(tokenize_record(chat, tokenizer, &chatml, {.strict_boundary = true}));
        }).starts_with("[data] the prompt's "));
  MessagesRecord const messages{{{"user", "q"}, {"assistant", "\na"}}};
  CHECK(tokenize_record(messages, tokenizer, &chatml).merged_at_boundary);
  CHECK(message_of([&] {
          static_cast<void>(tokenize_record(messages, tokenizer, &chatml, {.strict_boundary = true}));
        }) == "[data] a token joins the generation prompt's end and what the assistant says");
}

TEST_CASE("tokenize: content that spells a special token becomes it, as in transformers, or stays text") {
  MessagesRecord const record{{{"user", "<|end|>"}, {"assistant", "a"}}};
  auto const count = [&](Supervision const& supervision) {
    return std::ranges::count(tokenize_record(record, tokenizer, &chatml, supervision).ids,
                              *tokenizer.token_id("<|end|>"));
  };
  CHECK(count({}) == 1);
  CHECK(count({.parse_special_in_content = false}) == 0);
  CHECK(marked(record) == marked(record, {.parse_special_in_content = false}));
}

TEST_CASE("tokenize: what cannot be rendered or ended is an error") {
  auto const reason = [](Record const& record, Tokenizer const& with, ChatFormat const* format) {
    return message_of([&] { static_cast<void>(tokenize_record(record, with, format)); });
  };
  MessagesRecord const conversation{{{"user", "q"}, {"assistant", "a"}}};
  CHECK(reason(conversation, tokenizer, nullptr) == "[data] is a conversation: a chat format must be given");
  TokenizerSpec endless = spec();
  endless.eos.reset();
  CHECK(reason(TextRecord{"a"}, Tokenizer(endless), nullptr) ==
        "[data] plain text is learnt up to the tokenizer's eos token: it has none");
  ChatFormat const llama = ChatFormat::named("llama3");
  CHECK(reason(conversation, tokenizer, &llama) ==
        "[chat] format llama3 ends a turn with <|eot_id|>, which must be a token of the tokenizer: it is none");
  ChatFormat const gemma = ChatFormat::named("gemma");
  Tokenizer const with_gemma(byte_level_spec({.eos = "<end_of_turn>", .others = {}}));
  CHECK(reason(MessagesRecord{{{"user", "q"}, {"user", "r"}, {"assistant", "a"}}}, with_gemma, &gemma) ==
        "[chat] in format gemma user and assistant must take turns, the user first: message 1 has role \"user\"");
}
