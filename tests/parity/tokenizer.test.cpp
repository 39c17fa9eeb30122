// SPDX-License-Identifier: Apache-2.0
#include <graft/io/hf_tokenizer.hpp>
#include <graft/text/nfc.hpp>
#include <graft/text/streaming_decoder.hpp>
#include <graft/text/tokenizer.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <support/files.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

// What Hugging Face's tokenizers does with hard strings; tokenizer_corpus.py made the files.

using namespace graft;
using nlohmann::json;
using test::fixtures;

namespace {

using Ids = std::vector<std::int32_t>;

std::vector<std::string> hard_strings() {
  return json::parse(test::read_file(fixtures / "text/hard_strings.json")).get<std::vector<std::string>>();
}

std::vector<std::string> const kinds{"gpt2", "smollm", "llama3", "qwen2", "sentencepiece"};

}  // namespace

TEST_CASE("tokenizer: ids of hard strings are those of Hugging Face") {
  auto const strings = hard_strings();
  REQUIRE(strings.size() > 250);
  for (std::string const& kind : kinds) {
    CAPTURE(kind);
    Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "text" / kind));
    auto const expected = json::parse(test::read_file(fixtures / "text" / kind / "expected.json"));
    CHECK(tokenizer.size() == expected["size"].get<Index>());
    REQUIRE(expected["ids"].size() == strings.size());
    for (std::size_t i = 0; i < strings.size(); ++i) {
      CAPTURE(i);
      CAPTURE(strings[i]);
      auto const ids = expected["ids"][i].get<Ids>();
      CHECK(tokenizer.encode(strings[i]) == ids);
      std::string const number = std::to_string(i);
      CHECK(tokenizer.encode(strings[i], {.parse_special = false}) == expected["plain"].value(number, ids));
    }
  }
}

TEST_CASE("tokenizer: decoded hard strings are those of Hugging Face, in one go and as a stream") {
  auto const strings = hard_strings();
  for (std::string const& kind : kinds) {
    CAPTURE(kind);
    Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "text" / kind));
    auto const expected = json::parse(test::read_file(fixtures / "text" / kind / "expected.json"));
    for (std::size_t i = 0; i < strings.size(); ++i) {
      CAPTURE(i);
      if (strings[i].find("<norm>") != std::string::npos) continue;  // Hugging Face breaks added tokens outside ASCII
      auto const ids = expected["ids"][i].get<Ids>();
      std::string const text = expected["decoded"].value(std::to_string(i), strings[i]);
      CHECK(tokenizer.decode(ids, {.invalid_utf8 = InvalidUtf8::replace}) == text);
      StreamingDecoder stream(tokenizer);
      std::string streamed;
      for (std::int32_t const id : ids) {
        std::string const piece = stream.push(id);
        CHECK(!find_invalid_utf8(piece));
        streamed += piece;
      }
      CHECK(streamed + stream.finish() == text);
    }
  }
}

TEST_CASE("tokenizer: offsets are where tokens begin") {
  auto const strings = hard_strings();
  for (std::string const kind : {"gpt2", "smollm", "llama3"}) {
    CAPTURE(kind);
    Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "text" / kind));
    for (std::string const& text : strings) {
      CAPTURE(text);
      Encoding const encoding = tokenizer.encode_with_offsets(text);
      REQUIRE(encoding.begins.size() == encoding.ids.size());
      for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
        if (tokenizer.token(encoding.ids[i]).find("<norm>") != std::string::npos) continue;
        std::string_view const rest = std::string_view(text).substr(static_cast<std::size_t>(encoding.begins[i]));
        std::string_view const from = rest.substr(std::min(rest.find_first_not_of(" \t\n\r\u00a0\u2003\u3000\u2028\x0b"), rest.size()));
        std::string const bytes = tokenizer.token_bytes(encoding.ids[i]);
        // A token with lstrip begins where the white space does that it swallows.
        CHECK((rest.starts_with(bytes) || (bytes == "<mask>" && from.starts_with(bytes))));
      }
    }
  }
}

TEST_CASE("tokenizer: offsets through normalization never go back and stay inside") {
  auto const strings = hard_strings();
  for (std::string const kind : {"qwen2", "sentencepiece"}) {
    Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "text" / kind));
    for (std::string const& text : strings) {
      CAPTURE(text);
      Encoding const encoding = tokenizer.encode_with_offsets(text);
      CHECK(std::ranges::is_sorted(encoding.begins));
      for (Index const begin : encoding.begins) CHECK((begin >= 0 && begin < static_cast<Index>(text.size())));
    }
  }
}

TEST_CASE("tokenizer: threads get the same ids from one tokenizer") {
  auto const strings = hard_strings();
  Tokenizer const tokenizer(read_hf_tokenizer(fixtures / "text/llama3"));
  auto const expected = json::parse(test::read_file(fixtures / "text/llama3/expected.json"))["ids"].get<std::vector<Ids>>();
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 2; ++round)
        for (std::size_t i = 0; i < strings.size(); ++i) wrong[t] += tokenizer.encode(strings[i]) != expected[i];
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("nfc: hard strings are normalized as Hugging Face does") {
  auto const cases = json::parse(test::read_file(fixtures / "text/nfc.json"));
  REQUIRE(cases.size() > 100);
  for (auto const& pair : cases) {
    std::vector<Index> origins;
    CHECK(detail::nfc(pair[0].get<std::string>(), origins) == pair[1].get<std::string>());
  }
}
