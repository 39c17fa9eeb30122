// SPDX-License-Identifier: Apache-2.0
#include <graft/text/merges_from_scores.hpp>

#include <graft/text/tokenizer.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <string>
#include <vector>

using namespace graft;

namespace {

TokenizerSpec spec() {
  TokenizerSpec spec;
  spec.model = TokenizerModel::sentencepiece_bpe;
  spec.normalizer = Normalizer::replace_blanks;
  spec.tokens = {"<s>", "a", "b", "ab", "aa", "aab", "s>", "<"};
  spec.scores = {0, -10, -11, -1, -2, -3, -4, -12};
  spec.added_tokens = {{.id = 0, .content = "<s>", .special = true}};
  return spec;
}

}  // namespace

TEST_CASE("merges from scores: every way to make a token, best score first, then the longest left part") {
  TokenizerSpec const ranked = merges_from_scores(spec());
  CHECK(ranked.merges == std::vector<TokenMerge>{{1, 2}, {1, 1}, {4, 2}, {1, 3}});  // none that makes <s>
  CHECK(ranked.scores.empty());
  for (std::string const text : {"aab", "ab", "aaab", "ba", "aabaab"})
    CHECK(Tokenizer(ranked).encode(text) == Tokenizer(spec()).encode(text));
}

TEST_CASE("merges from scores: refuses what has no scores") {
  CHECK(test::message_of([] { (void)merges_from_scores(merges_from_scores(spec())); }).find("with scores and no merges") !=
        std::string::npos);
}
