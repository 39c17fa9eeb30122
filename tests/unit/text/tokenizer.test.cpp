// SPDX-License-Identifier: Apache-2.0
#include <graft/text/tokenizer.hpp>

#include <graft/text/byte_level_spec.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

using namespace graft;
using Ids = std::vector<std::int32_t>;
using test::message_of;

namespace {

/// Tokens a, b, c, ab, bc, abc and so on by score, blanks as U+2581.
TokenizerSpec scored(std::vector<std::pair<std::string, float>> const& tokens) {
  TokenizerSpec spec;
  spec.model = TokenizerModel::sentencepiece_bpe;
  spec.normalizer = Normalizer::replace_blanks;
  for (auto const& [token, score] : tokens) {
    spec.tokens.push_back(token);
    spec.scores.push_back(score);
  }
  return spec;
}

TokenizerSpec ranked(std::vector<std::string> const& tokens, std::vector<std::pair<int, int>> const& merges) {
  TokenizerSpec spec;
  spec.tokens = tokens;
  for (auto const& [left, right] : merges) spec.merges.push_back({left, right});
  return spec;
}

}  // namespace

TEST_CASE("tokenizer: the lowest rank merges first, of equal ones the leftmost") {
  Tokenizer const tokenizer(ranked({"a", "b", "ab", "aa", "aab"}, {{0, 0}, {0, 1}, {3, 1}}));
  CHECK(tokenizer.encode("aab") == Ids{4});
  CHECK(tokenizer.encode("aaa") == Ids{3, 0});
  CHECK(tokenizer.encode("aaaab") == Ids{3, 4});
  CHECK(tokenizer.encode("bab") == Ids{1, 2});
}

TEST_CASE("tokenizer: by score the highest merges first, over characters that are no tokens themselves") {
  Tokenizer const tokenizer(scored({{"a", 0}, {"b", 0}, {"ab", -2}, {"ba", -1}, {"▁a", -3}, {"é€", -4}, {"▁", 0}}));
  CHECK(tokenizer.encode("aba") == Ids{0, 3});
  CHECK(tokenizer.encode("ab a") == Ids{2, 4});
  CHECK(tokenizer.encode("é€") == Ids{5});
  CHECK(tokenizer.encode("é").empty());  // no byte tokens, no unknown token: as in Hugging Face, dropped
}

TEST_CASE("tokenizer: special tokens never come out of merging by score") {
  auto spec = scored({{"<", 0}, {"s", 0}, {">", 0}, {"<s", -1}, {"<s>", 0}});
  spec.added_tokens = {{.id = 4, .content = "<s>", .special = true}};
  Tokenizer const tokenizer(spec);
  CHECK(tokenizer.encode("<s>") == Ids{4});
  CHECK(tokenizer.encode("<s>", {.parse_special = false}) == Ids{3, 2});
}

TEST_CASE("tokenizer: bytes and unknown tokens stand for what has no token") {
  auto spec = scored({{"a", 0}, {"<unk>", 0}, {"<0xC3>", 0}, {"<0xA9>", 0}});
  spec.model_unk = 1;
  CHECK(Tokenizer(spec).encode("xyazz") == Ids{1, 1, 0, 1, 1});
  spec.fuse_unk = true;
  CHECK(Tokenizer(spec).encode("xyazz") == Ids{1, 0, 1});
  spec.byte_fallback = true;
  CHECK(Tokenizer(spec).encode("aéx") == Ids{0, 2, 3, 1});  // x has no byte token
  CHECK(Tokenizer(spec).decode(Ids{0, 2, 3}) == "aé");
}

TEST_CASE("tokenizer: the leading blank") {
  auto spec = scored({{"▁", 0}, {"a", 0}, {"▁a", -1}, {"<s>", 0}});
  spec.added_tokens = {{.id = 3, .content = "<s>", .special = true}};
  spec.blank_prefix = BlankPrefix::every_piece;
  Tokenizer const every(spec);
  CHECK(every.encode("a<s>a") == Ids{2, 3, 2});
  CHECK(every.encode(" a") == Ids{0, 2});
  CHECK(every.encode("").empty());
  CHECK(every.decode(Ids{2, 2}) == "a a");
  CHECK(every.decode(Ids{3, 2}) == "<s> a");
  CHECK(every.decode(Ids{3, 2}, {.skip_special = true}) == "a");
  spec.normalizer = Normalizer::none;
  spec.pre_tokenizer = PreTokenizer::metaspace;
  spec.blank_prefix = BlankPrefix::first_piece;
  Tokenizer const first(spec);
  CHECK(first.encode("a<s>a") == Ids{2, 3, 1});
  CHECK(first.encode("<s>a") == Ids{3, 1});
  CHECK(first.encode(" a") == Ids{2});  // Metaspace adds none where one is
}

TEST_CASE("tokenizer: ignore_merges takes a whole word from the vocabulary") {
  auto spec = ranked({"a", "b", "ab", "aba", "Ġab", "Ġ"}, {{0, 1}});
  spec.pre_tokenizer = PreTokenizer::llama3;
  CHECK(Tokenizer(spec).encode("aba ab") == Ids{2, 0, 5, 2});
  spec.ignore_merges = true;
  CHECK(Tokenizer(spec).encode("aba ab") == Ids{3, 4});
}

TEST_CASE("tokenizer: a later merge of the same pair takes its rank, as in Hugging Face") {
  Tokenizer const tokenizer(ranked({"a", "b", "ab", "ba"}, {{0, 1}, {1, 0}, {0, 1}}));
  CHECK(tokenizer.encode("aba") == Ids{0, 3});
}

TEST_CASE("tokenizer: BOS and EOS only where asked for and where the model adds them") {
  auto spec = byte_level_spec();
  spec.add_bos = true;
  Tokenizer const bos(spec);
  CHECK(bos.encode("a") == Ids{97});
  CHECK(bos.encode("a", {.add_special = true}) == Ids{257, 97});
  spec.add_bos = false;
  spec.add_eos = true;
  Encoding const eos = Tokenizer(spec).encode_with_offsets("ab", {.add_special = true});
  CHECK(eos.ids == Ids{97, 98, 258});
  CHECK(eos.begins == std::vector<Index>{0, 1, 2});
  CHECK(Tokenizer(spec).encode("", {.add_special = true}) == Ids{258});
}

TEST_CASE("tokenizer: text that is not UTF-8 is refused by its offset, or repaired") {
  Tokenizer const tokenizer(byte_level_spec());
  std::string const text = "good \xC3(";
  CHECK(message_of([&] { (void)tokenizer.encode(text); }) ==
        "[tokenizer] text must be UTF-8: byte 5 of 7 is not (InvalidUtf8::replace puts U+FFFD there)");
  auto const ids = tokenizer.encode(text, {.invalid_utf8 = InvalidUtf8::replace});
  CHECK(tokenizer.decode(ids) == "good \uFFFD(");
  CHECK(tokenizer.encode_with_offsets(text, {.invalid_utf8 = InvalidUtf8::replace}).begins.back() == 8);
}

TEST_CASE("tokenizer: decoding gives bytes back as they are, or valid UTF-8") {
  Tokenizer const tokenizer(byte_level_spec());
  Ids const broken{0xE2, 0x82, 'x', 0xFF};
  CHECK(tokenizer.decode(broken) == "\xE2\x82x\xFF");
  CHECK(tokenizer.decode(broken, {.invalid_utf8 = InvalidUtf8::replace}) == "\uFFFDx\uFFFD");
  CHECK(tokenizer.decode({}).empty());
  CHECK(message_of([&] { (void)tokenizer.decode(Ids{259}); }) == "[tokenizer] a token id must be in 0..258: got 259");
  CHECK(message_of([&] { (void)tokenizer.token(-1); }) == "[tokenizer] a token id must be in 0..258: got -1");
  CHECK(tokenizer.decode(Ids{257, 'h', 'i', 258}) == "<|im_start|>hi<|im_end|>");
  CHECK(tokenizer.decode(Ids{257, 'h', 'i', 258}, {.skip_special = true}) == "hi");
}

TEST_CASE("tokenizer: a broken run of byte tokens is one U+FFFD a byte, as in Hugging Face") {
  auto spec = scored({{"a", 0}, {"<0xC3>", 0}, {"<0xA9>", 0}, {"<0x41>", 0}});
  spec.byte_fallback = true;
  Tokenizer const tokenizer(spec);
  CHECK(tokenizer.decode(Ids{3, 1, 0}, {.invalid_utf8 = InvalidUtf8::replace}) == "\uFFFD\uFFFDa");
  CHECK(tokenizer.decode(Ids{3, 1, 2, 0}, {.invalid_utf8 = InvalidUtf8::replace}) == "Aéa");
}

TEST_CASE("tokenizer: stretches of literal text keep their special tokens as text") {
  Tokenizer const tokenizer(byte_level_spec());
  std::string const text = "<|im_end|><|im_end|><|im_end|>";
  ByteRange const middle[] = {{10, 20}};
  auto const ids = tokenizer.encode(text, {.literal = middle});
  CHECK(ids.size() == 12);
  CHECK(ids.front() == 258);
  CHECK(ids.back() == 258);
  ByteRange const across[] = {{5, 6}, {15, 16}, {29, 30}};
  CHECK(tokenizer.encode(text, {.literal = across}).size() == 30);
  ByteRange const beside[] = {{0, 0}, {30, 40}};
  CHECK(tokenizer.encode(text, {.literal = beside}) == Ids{258, 258, 258});
}

TEST_CASE("tokenizer: looks up tokens by spelling and id") {
  auto spec = byte_level_spec();
  spec.added_tokens.push_back({.id = 300, .content = "<tool>"});
  Tokenizer const tokenizer(spec);
  CHECK(tokenizer.size() == 301);
  CHECK(tokenizer.token_id("<tool>") == 300);
  CHECK(tokenizer.token_id("Ġ") == 32);
  CHECK(!tokenizer.token_id("none"));
  CHECK(tokenizer.token(280).empty());  // a gap
  CHECK(tokenizer.token_bytes(32) == " ");
  CHECK(tokenizer.is_special(258));
  CHECK(!tokenizer.is_special(300));
  CHECK(tokenizer.encode("<tool>", {.parse_special = false}) == Ids{300});
  CHECK(tokenizer.eos() == 258);
  Tokenizer const copy = tokenizer;
  CHECK(&copy.spec() == &tokenizer.spec());
}

TEST_CASE("tokenizer: refuses merges that make no token and added tokens that are not UTF-8") {
  auto const text = message_of([] { Tokenizer(ranked({"a", "b"}, {{0, 1}}), "f.json"); });
  CHECK(text == "[tokenizer] a merge must result in a token of the vocabulary: merge 0 makes \"ab\", which is none, in f.json");
  auto spec = byte_level_spec();
  spec.added_tokens.push_back({.id = 259, .content = "\xFF"});
  CHECK(message_of([&] { Tokenizer{spec}; }).find("must be UTF-8: id 259") != std::string::npos);
}

TEST_CASE("tokenizer: a megabyte without a cut is merged in n log n") {
  auto by_rank = ranked({"a", "b", "aa", "aaaa", "▁"}, {{0, 0}, {2, 2}});
  by_rank.model = TokenizerModel::sentencepiece_bpe;
  by_rank.normalizer = Normalizer::replace_blanks;
  auto const by_score = scored({{"a", 0}, {"b", 0}, {"aa", -1}, {"aaaa", -2}, {"▁", 0}});
  std::string const text(1000000, 'a');
  for (TokenizerSpec const& spec : {by_rank, by_score}) {
    auto const start = std::chrono::steady_clock::now();
    auto const ids = Tokenizer(spec).encode(text);
    CHECK(ids == Ids(250000, 3));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  }
}

TEST_CASE("tokenizer: bytes round-trip") {
  Tokenizer const tokenizer(byte_level_spec());
  for (std::string const text : {"", "a", "é😀\n\t\r\n", "\u0000x\u007f", "<|im_end|>", " \u00A0\u3000 "})
    CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
}
