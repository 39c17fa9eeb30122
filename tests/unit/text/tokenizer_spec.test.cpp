// SPDX-License-Identifier: Apache-2.0
#include <graft/text/tokenizer_spec.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <functional>
#include <string>

using namespace graft;

namespace {

TokenizerSpec good() {
  TokenizerSpec spec;
  spec.tokens = {"a", "b", "ab"};
  spec.merges = {{0, 1}};
  spec.added_tokens = {{.id = 5, .content = "<s>", .special = true}};
  spec.bos = 5;
  return spec;
}

std::string complaint(std::function<void(TokenizerSpec&)> const& change) {
  TokenizerSpec spec = good();
  change(spec);
  return test::message_of([&] { validate(spec, "file.json"); });
}

}  // namespace

TEST_CASE("tokenizer spec: a sound one passes and counts ids beyond the vocabulary") {
  CHECK(complaint([](TokenizerSpec&) {}) == "no error");
  CHECK(id_count(good()) == 6);
  CHECK(!merges_by_score(good()));
}

TEST_CASE("tokenizer spec: parts that do not fit are named") {
  auto const says = [](std::string const& text, char const* part) {
    CAPTURE(text);
    CHECK(text.starts_with("[tokenizer] "));
    CHECK(text.find(part) != std::string::npos);
    CHECK(text.find("file.json") != std::string::npos);
  };
  says(complaint([](auto& s) { s.tokens.clear(); }), "at least one token");
  says(complaint([](auto& s) { s.scores = {1.f}; }), "got 1 scores for 3 tokens");
  says(complaint([](auto& s) { s.merges = {{0, 3}}; }), "merge 0 has 3");
  says(complaint([](auto& s) { s.merges = {{-1, 0}}; }), "merge 0 has -1");
  says(complaint([](auto& s) { s.added_tokens[0].id = -2; }), "got -2 for <s>");
  says(complaint([](auto& s) { s.added_tokens[0].id = 2000000000; }), "got 2000000000");
  says(complaint([](auto& s) { s.added_tokens[0].content.clear(); }), "must not be empty");
  says(complaint([](auto& s) { s.bos = 6; }), "bos must be the id of a token, 0..5: got 6");
  says(complaint([](auto& s) { s.eos = -1; }), "eos must be");
  says(complaint([](auto& s) { s.model_unk = 4; }), "model_unk must be the id of a token, 0..2");
  says(complaint([](auto& s) { s.add_eos = true; }), "add_eos needs an eos token");
  says(complaint([](auto& s) { s.bos.reset(), s.add_bos = true; }), "add_bos needs a bos token");
  says(complaint([](auto& s) { s.normalizer = Normalizer::replace_blanks; }), "no U+2581");
  says(complaint([](auto& s) { s.model = TokenizerModel::sentencepiece_bpe, s.pre_tokenizer = PreTokenizer::gpt2; }), "cuts no words");
  says(complaint([](auto& s) { s.blank_prefix = BlankPrefix::every_piece; }), "needs blanks to be replaced");
  says(complaint([](auto& s) { s.byte_fallback = true; }), "byte_fallback belongs to SentencePiece");
  says(complaint([](auto& s) { s.merges.clear(), s.scores = {1, 2, 3}; }), "merges by rank");
}
