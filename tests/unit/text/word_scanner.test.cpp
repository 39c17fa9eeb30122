// SPDX-License-Identifier: Apache-2.0
#include <graft/text/word_scanner.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace graft;
using Words = std::vector<std::string>;

namespace {

Words words(PreTokenizer kind, std::string const& text) {
  Words out;
  Index expected = 0;
  detail::scan_words(kind, text, [&](Index begin, Index end) {
    CHECK(begin == expected);
    CHECK(end > begin);
    expected = end;
    out.push_back(text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
  });
  CHECK(expected == static_cast<Index>(text.size()));
  return out;
}

}  // namespace

TEST_CASE("word scanner: GPT-2's pattern") {
  auto const gpt2 = [](std::string const& text) { return words(PreTokenizer::gpt2, text); };
  CHECK(gpt2("Hello world  !") == Words{"Hello", " world", " ", " !"});
  CHECK(gpt2("don't DON'T we'll 'S") == Words{"don", "'t", " DON", "'", "T", " we", "'ll", " '", "S"});
  CHECK(gpt2("a\n\n b\t c \n") == Words{"a", "\n\n", " b", "\t", " c", " \n"});
  CHECK(gpt2("x 123.5") == Words{"x", " 123", ".", "5"});
  CHECK(gpt2("e\u0301\u00A0z") == Words{"e", "\u0301", "\u00A0", "z"});
  CHECK(gpt2(" ").size() == 1);
  CHECK(gpt2("").empty());
  CHECK(gpt2("'re'x") == Words{"'re", "'", "x"});
}

TEST_CASE("word scanner: smollm isolates every numeric character before GPT-2's pattern") {
  auto const smollm = [](std::string const& text) { return words(PreTokenizer::smollm, text); };
  CHECK(smollm("in 2024.") == Words{"in", " ", "2", "0", "2", "4", "."});
  CHECK(smollm("  7  ½x") == Words{"  ", "7", "  ", "½", "x"});  // white space before a cut stays whole
  CHECK(smollm("Ⅷ\U00011DE5a") == Words{"Ⅷ", "\U00011DE5", "a"});
}

TEST_CASE("word scanner: Llama 3's pattern and Qwen 2's") {
  auto const llama3 = [](std::string const& text) { return words(PreTokenizer::llama3, text); };
  CHECK(llama3("'LLama") == Words{"'LL", "ama"});
  CHECK(llama3("a   b  \n \n  c") == Words{"a", "  ", " b", "  \n \n", " ", " c"});
  CHECK(llama3("1234567") == Words{"123", "456", "7"});
  CHECK(llama3("'\u017Fx 'ſ") == Words{"'\u017F", "x", " '", "ſ"});
  CHECK(llama3("(word \u00A0word \"q") == Words{"(word", " ", "\u00A0word", " \"", "q"});
  CHECK(llama3("!!\r\n\nx") == Words{"!!\r\n\n", "x"});
  CHECK(llama3("e\u0301a \u200Bb") == Words{"e", "\u0301a", " \u200B", "b"});
  CHECK(llama3("a \t\n\t b") == Words{"a", " \t\n", "\t", " b"});
  CHECK(llama3("12 34") == Words{"12", " ", "34"});
  CHECK(llama3("\n").size() == 1);
  CHECK(words(PreTokenizer::qwen2, "1234") == Words{"1", "2", "3", "4"});
}

TEST_CASE("word scanner: no cut without a pre-tokenizer") {
  CHECK(words(PreTokenizer::none, "a b 1\n") == Words{"a b 1\n"});
  CHECK(words(PreTokenizer::none, "").empty());
}

TEST_CASE("word scanner: a megabyte of one kind takes linear time") {
  for (std::string const unit : {" ", "\n", "\r\n", " \n", "a", "7", "!", "'", " '", "\u0301", "\u3000"}) {
    std::string text;
    while (text.size() < 1000000) text += unit;
    text += "x";
    for (PreTokenizer const kind : {PreTokenizer::gpt2, PreTokenizer::smollm, PreTokenizer::llama3, PreTokenizer::qwen2}) {
      auto const start = std::chrono::steady_clock::now();
      Index end = 0;
      detail::scan_words(kind, text, [&end](Index, Index word_end) { end = word_end; });
      CHECK(end == static_cast<Index>(text.size()));
      CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));  // quadratic: hours
    }
  }
}
