// SPDX-License-Identifier: Apache-2.0
#include <graft/text/byte_level_spec.hpp>

#include <graft/text/encode_chat.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <set>
#include <string>

using namespace graft;

TEST_CASE("byte level spec: id b is byte b, then the special tokens") {
  TokenizerSpec const spec = byte_level_spec({.others = {"<extra>"}});
  CHECK(spec.tokens.size() == 260);
  CHECK(std::set<std::string>(spec.tokens.begin(), spec.tokens.end()).size() == 260);
  CHECK(spec.tokens[0] == "Ā");
  CHECK(spec.tokens[' '] == "Ġ");
  CHECK(spec.tokens['A'] == "A");
  CHECK(spec.tokens[0xAD] == "Ń");
  CHECK(spec.tokens[0xFF] == "ÿ");
  CHECK(spec.pad == 256);
  CHECK(spec.eos == 258);
  CHECK(spec.added_tokens.size() == 4);
  Tokenizer const tokenizer(spec);
  std::string bytes;
  for (int b = 0; b < 256; ++b) bytes += tokenizer.token_bytes(b);
  for (std::size_t b = 0; b < 256; ++b) CHECK(static_cast<unsigned char>(bytes[b]) == b);
}

TEST_CASE("byte level spec: speaks ChatML") {
  Tokenizer const tokenizer(byte_level_spec());
  Message const messages[] = {{"user", "hi"}, {"assistant", "yo"}};
  EncodedChat const chat = encode_chat(tokenizer, ChatFormat::named("chatml"), messages);
  CHECK(tokenizer.decode(chat.ids) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n");
}

TEST_CASE("byte level spec: special tokens must differ") {
  CHECK(test::message_of([] { (void)byte_level_spec({.others = {"<|im_end|>"}}); }).find("<|im_end|> is id 258 already") !=
        std::string::npos);
  CHECK(test::message_of([] { (void)byte_level_spec({.pad = ""}); }).find("must not be empty") != std::string::npos);
  CHECK(test::message_of([] { (void)byte_level_spec({.pad = "A"}); }).find("is id 65 already") != std::string::npos);
}
