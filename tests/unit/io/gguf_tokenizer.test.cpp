// SPDX-License-Identifier: Apache-2.0
#include <graft/io/gguf_tokenizer.hpp>

#include <graft/text/tokenizer.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/gguf_bytes.hpp>
#include <support/message_of.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

using namespace graft;
using test::message_of;

namespace {

using Strings = std::vector<std::string>;

/// The tokenizer keys of a GGUF file, each of which a test may change or leave out.
struct Keys {
  std::map<std::string, std::string> strings;
  std::map<std::string, std::uint32_t> ids;
  std::map<std::string, bool> flags;
  std::map<std::string, Strings> lists;
  std::vector<float> scores;
  std::vector<std::int32_t> types;

  [[nodiscard]] TokenizerSpec read() const {
    test::GgufBytes file;
    auto const count = strings.size() + ids.size() + flags.size() + lists.size() + !scores.empty() + !types.empty();
    file.header(0, static_cast<std::int64_t>(count));
    for (auto const& [key, value] : strings) file.string_key("tokenizer." + key, value);
    for (auto const& [key, value] : ids) file.u32_key("tokenizer.ggml." + key, value);
    for (auto const& [key, value] : flags) file.key("tokenizer.ggml." + key, 7).number(static_cast<std::uint8_t>(value));
    for (auto const& [key, values] : lists) {
      file.array_key("tokenizer.ggml." + key, 8, values.size());
      for (std::string const& value : values) file.text(value);
    }
    if (!scores.empty()) file.array_key("tokenizer.ggml.scores", 6, scores.size());
    for (float const score : scores) file.number(score);
    if (!types.empty()) file.array_key("tokenizer.ggml.token_type", 5, types.size());
    for (std::int32_t const type : types) file.number(type);
    file.align();
    test::TemporaryDirectory const folder;
    test::write_file(folder / "model.gguf", file.bytes);
    return read_gguf_tokenizer(GgufFile(folder / "model.gguf"));
  }
};

Keys byte_level() {
  return {.strings = {{"ggml.model", "gpt2"}, {"ggml.pre", "smollm"}, {"chat_template", "{{x}}"}},
          .ids = {{"bos_token_id", 0}, {"eos_token_id", 5}, {"padding_token_id", 5}, {"unknown_token_id", 0}, {"eot_token_id", 5}},
          .flags = {{"add_bos_token", false}, {"add_space_prefix", false}},
          .lists = {{"tokens", {"<s>", "a", "b", "ab", "Ġ", "</s>", "<t>"}}, {"merges", {"a b"}}},
          .scores = {},
          .types = {3, 1, 1, 1, 1, 3, 4}};
}

Keys sentencepiece() {
  return {.strings = {{"ggml.model", "llama"}, {"ggml.pre", "default"}},
          .ids = {{"bos_token_id", 1}, {"eos_token_id", 2}, {"unknown_token_id", 0}},
          .flags = {{"add_space_prefix", false}},
          .lists = {{"tokens", {"<unk>", "<s>", "</s>", "<0x41>", "a", "b", "ab", "▁", "  "}}},
          .scores = {0, 0, 0, 0, -2, -3, -1, -4, -1000},
          .types = {2, 3, 3, 6, 1, 1, 1, 1, 4}};
}

std::string complaint(Keys keys, std::function<void(Keys&)> const& change) {
  change(keys);
  return message_of([&] { (void)keys.read(); });
}

void says(std::string const& text, std::string const& part) {
  CAPTURE(text);
  CAPTURE(part);
  CHECK(text.find("model.gguf") != std::string::npos);
  CHECK(text.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("gguf tokenizer: byte-level BPE") {
  TokenizerSpec const spec = byte_level().read();
  CHECK(spec.model == TokenizerModel::byte_level_bpe);
  CHECK(spec.pre_tokenizer == PreTokenizer::smollm);
  CHECK(spec.normalizer == Normalizer::none);
  CHECK(spec.merges == std::vector<TokenMerge>{{1, 2}});
  CHECK(spec.bos == 0);
  CHECK(spec.eot == 5);
  CHECK(!spec.add_bos);
  CHECK(!spec.model_unk);
  CHECK(spec.chat_template == "{{x}}");
  CHECK(spec.added_tokens == std::vector<AddedToken>{{.id = 0, .content = "<s>", .special = true},
                                                     {.id = 5, .content = "</s>", .special = true},
                                                     {.id = 6, .content = "<t>"}});
  CHECK(Tokenizer(spec).encode("<s>ab <t>", {.add_special = true}) == std::vector<std::int32_t>{0, 3, 4, 6});
}

TEST_CASE("gguf tokenizer: the name of the pre-tokenizer brings what llama.cpp knows about it") {
  auto const named = [](char const* name) {
    Keys keys = byte_level();
    keys.strings["ggml.pre"] = name;
    keys.flags.clear();
    return keys.read();
  };
  CHECK(named("llama-bpe").pre_tokenizer == PreTokenizer::llama3);
  CHECK(named("llama-bpe").ignore_merges);
  CHECK(named("llama-bpe").add_bos);
  CHECK(named("qwen2").normalizer == Normalizer::nfc);
  CHECK(!named("qwen2").add_bos);
  CHECK(named("deepseek-r1-qwen").normalizer == Normalizer::none);
  CHECK(named("gpt-2").pre_tokenizer == PreTokenizer::gpt2);
}

TEST_CASE("gguf tokenizer: SentencePiece BPE by score") {
  TokenizerSpec const spec = sentencepiece().read();
  CHECK(merges_by_score(spec));
  CHECK(spec.byte_fallback);
  CHECK(spec.model_unk == 0);
  CHECK(spec.add_bos);
  CHECK(spec.blank_prefix == BlankPrefix::never);
  Tokenizer const tokenizer(spec);
  CHECK(tokenizer.encode("ab a  Aé", {.add_special = true}) == std::vector<std::int32_t>{1, 6, 7, 4, 8, 3, 0});
  Keys prefixed = sentencepiece();
  prefixed.flags.clear();
  CHECK(prefixed.read().blank_prefix == BlankPrefix::every_piece);
}

TEST_CASE("gguf tokenizer: what is missing, wrong or not supported is named") {
  says(complaint(byte_level(), [](Keys& k) { k.strings.erase("ggml.model"); }), "tokenizer.ggml.model is missing");
  says(complaint(byte_level(), [](Keys& k) { k.strings["ggml.model"] = "t5"; }), "must be \"gpt2\" (byte-level BPE) or \"llama\"");
  says(complaint(byte_level(), [](Keys& k) { k.strings["ggml.pre"] = "tekken"; }), "tokenizer.ggml.pre must be one of gpt-2");
  says(complaint(byte_level(), [](Keys& k) { k.strings.erase("ggml.pre"); }), "got \"default\"");
  says(complaint(byte_level(), [](Keys& k) { k.lists.erase("tokens"); }), "tokenizer.ggml.tokens is missing");
  says(complaint(byte_level(), [](Keys& k) { k.lists["tokens"].clear(); }), "tokenizer.ggml.tokens must hold 1..");
  says(complaint(byte_level(), [](Keys& k) { k.lists.erase("merges"); }), "tokenizer.ggml.merges is missing");
  says(complaint(byte_level(), [](Keys& k) { k.lists["merges"] = {"ab"}; }), "must hold pairs with a blank between them: entry 0");
  says(complaint(byte_level(), [](Keys& k) { k.lists["merges"] = {" b"}; }), "must hold pairs");
  says(complaint(byte_level(), [](Keys& k) { k.lists["merges"] = {"a "}; }), "must hold pairs");
  says(complaint(byte_level(), [](Keys& k) { k.lists["merges"] = {"a x"}; }), "must join tokens of the vocabulary: entry 0 is \"a x\"");
  says(complaint(byte_level(), [](Keys& k) { k.lists["merges"] = {"b a"}; }), "must result in a token of the vocabulary: entry 0");
  says(complaint(byte_level(), [](Keys& k) { k.ids["eos_token_id"] = 7; }), "tokenizer.ggml.eos_token_id must be in 0..6: got 7");
  says(complaint(byte_level(), [](Keys& k) { k.ids["eot_token_id"] = 4000000000u; }), "eot_token_id must be in 0..6");
  says(complaint(byte_level(), [](Keys& k) { k.types.pop_back(); }), "token_type must be one a token: got 6 for 7");
  says(complaint(byte_level(), [](Keys& k) { k.types[2] = 9; }), "token_type must be in 1..6: got 9 for token 2");
  says(complaint(byte_level(), [](Keys& k) { k.flags["add_bos_token"] = true, k.ids.erase("bos_token_id"); }), "add_bos needs a bos");
  says(complaint(sentencepiece(), [](Keys& k) { k.scores.clear(); }), "tokenizer.ggml.scores is missing");
  says(complaint(sentencepiece(), [](Keys& k) { k.scores.pop_back(); }), "scores must be one a token: got 8 for 9");
}
