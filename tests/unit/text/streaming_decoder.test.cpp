// SPDX-License-Identifier: Apache-2.0
#include <graft/text/streaming_decoder.hpp>

#include <graft/text/byte_level_spec.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace graft;

TEST_CASE("streaming decoder: holds a character back until it is complete") {
  StreamingDecoder stream{Tokenizer(byte_level_spec())};
  CHECK(stream.push('a') == "a");
  CHECK(stream.push(0xF0) == "");
  CHECK(stream.push(0x9F) == "");
  CHECK(stream.push(0x98) == "");
  CHECK(stream.push(0x80) == "😀");
  CHECK(stream.push(0xE2) == "");
  CHECK(stream.push('x') == "\uFFFDx");  // can no longer become a character
  CHECK(stream.push(0xFF) == "\uFFFD");
  CHECK(stream.push(0xC3) == "");
  CHECK(stream.finish() == "\uFFFD");
  CHECK(stream.finish() == "");
}

TEST_CASE("streaming decoder: special tokens are shown or skipped") {
  Tokenizer const tokenizer(byte_level_spec());
  StreamingDecoder shown(tokenizer), skipped(tokenizer, true);
  CHECK(shown.push(258) == "<|im_end|>");
  CHECK(skipped.push(258) == "");
  CHECK(skipped.push('b') == "b");
}

TEST_CASE("streaming decoder: the leading blank of SentencePiece goes once") {
  TokenizerSpec spec;
  spec.model = TokenizerModel::sentencepiece_bpe;
  spec.normalizer = Normalizer::replace_blanks;
  spec.blank_prefix = BlankPrefix::every_piece;
  spec.tokens = {"▁a"};
  spec.scores = {0};
  StreamingDecoder stream{Tokenizer(spec)};
  CHECK(stream.push(0) == "a");
  CHECK(stream.push(0) == " a");
  CHECK(stream.finish() == "");
  CHECK(stream.push(0) == "a");
}
