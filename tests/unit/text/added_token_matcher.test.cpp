// SPDX-License-Identifier: Apache-2.0
#include <graft/text/added_token_matcher.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace graft;

namespace {

/// Matches in brackets: "a[<x>]b".
std::string marked(std::vector<AddedToken> const& tokens, std::string const& text, bool special = true) {
  detail::AddedTokenMatcher matcher;
  for (AddedToken const& token : tokens) matcher.add(token.content, &token);
  std::string out;
  matcher.split(text, [special](AddedToken const& token, Index, Index) { return special || !token.special; },
                [&](AddedToken const* token, Index begin, Index end) {
                  std::string const part(detail::slice(text, begin, end));
                  out += token != nullptr ? "[" + part + "]" : part;
                });
  return out;
}

}  // namespace

TEST_CASE("added tokens: leftmost first, then longest") {
  std::vector<AddedToken> const tokens{{.content = "ab"}, {.content = "abcd"}, {.content = "bcde"}, {.content = "e"}};
  CHECK(marked(tokens, "xabcdex") == "x[abcd][e]x");
  CHECK(marked(tokens, "abcx") == "[ab]cx");
  CHECK(marked(tokens, "bcd") == "bcd");
  CHECK(marked(tokens, "") == "");
}

TEST_CASE("added tokens: a refused match hides what lies inside it") {
  std::vector<AddedToken> const tokens{{.content = "<s>x", .special = true}, {.content = "x"}};
  CHECK(marked(tokens, "<s>xx", true) == "[<s>x][x]");
  CHECK(marked(tokens, "<s>xx", false) == "<s>x[x]");
}

TEST_CASE("added tokens: lstrip and rstrip swallow white space, but not that of a match before") {
  std::vector<AddedToken> const tokens{{.content = "<l>", .lstrip = true}, {.content = "<r>", .rstrip = true}};
  CHECK(marked(tokens, "a \u3000\n<l> b") == "a[ \u3000\n<l>] b");
  CHECK(marked(tokens, "a <r> \t b") == "a [<r> \t ]b");
  CHECK(marked(tokens, "<r>  <l>") == "[<r>  ][<l>]");
  CHECK(marked(tokens, "<l>") == "[<l>]");
}

TEST_CASE("added tokens: single_word needs both sides free of word characters") {
  std::vector<AddedToken> const tokens{{.content = "<w>", .single_word = true}};
  CHECK(marked(tokens, "a<w> <w>1 _<w> é<w>") == "a<w> <w>1 _<w> é<w>");
  CHECK(marked(tokens, "(<w>) <w>") == "([<w>]) [<w>]");
}

TEST_CASE("added tokens: runs of white space take linear time under lstrip and rstrip") {
  std::vector<AddedToken> const tokens{{.content = "\n", .lstrip = true, .rstrip = true}, {.content = "<m>", .lstrip = true}};
  std::string const text(1000000, '\n');
  auto const start = std::chrono::steady_clock::now();
  CHECK(marked(tokens, text + "<m>").ends_with("<m>]"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}
