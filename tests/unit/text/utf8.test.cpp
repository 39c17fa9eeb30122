// SPDX-License-Identifier: Apache-2.0
#include <graft/text/utf8.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace graft;
using namespace std::string_literals;

TEST_CASE("utf8: the first byte that is not UTF-8 is found") {
  struct Case {
    std::string text;
    Index at;
  };
  for (auto const& [text, at] : {Case{"abc\x80", 3}, Case{"\xC0\xAF", 0},  // overlong
                                 Case{"a\xC1\xBF", 1}, Case{"\xE0\x9F\xBF", 0}, Case{"\xF0\x8F\xBF\xBF", 0},
                                 Case{"\xED\xA0\x80", 0},          // a surrogate
                                 Case{"\xF4\x90\x80\x80", 0},      // past U+10FFFF
                                 Case{"é\xF5\x80\x80\x80", 2}, Case{"x\xC3", 1}, Case{"\xE2\x82", 0}, Case{"\xFF", 0},
                                 Case{"\xF0\x9F\x98", 0}, Case{"ok\xC3(", 2}}) {
    CAPTURE(text);
    REQUIRE(find_invalid_utf8(text).has_value());
    CHECK(*find_invalid_utf8(text) == at);
  }
  CHECK(!find_invalid_utf8(""));
  CHECK(!find_invalid_utf8("\x00\x7F é € 😀 \xED\x9F\xBF \xEE\x80\x80 \xF4\x8F\xBF\xBF"s));
}

TEST_CASE("utf8: replacement puts one U+FFFD for every maximal stretch, as Python does") {
  // python3 -c "print(b'...'.decode(errors='replace'))"
  CHECK(replace_invalid_utf8("a\x80z") == "a\uFFFDz");
  CHECK(replace_invalid_utf8("\xE2\x82z") == "\uFFFDz");
  CHECK(replace_invalid_utf8("\xF0\x9F\x98") == "\uFFFD");
  CHECK(replace_invalid_utf8("\xF0\x9F\x98\xF0\x9F\x98\x80") == "\uFFFD😀");
  CHECK(replace_invalid_utf8("\xC0\xAF") == "\uFFFD\uFFFD");
  CHECK(replace_invalid_utf8("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(replace_invalid_utf8("\xE0\x80\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(replace_invalid_utf8("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");
  CHECK(replace_invalid_utf8("plain é") == "plain é");
}

TEST_CASE("utf8: every code point survives writing and reading") {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    detail::append_utf8(text, c);
    detail::Utf8Step const step = detail::utf8_step(text, 0);
    if (!step.valid || step.value != c || step.length != static_cast<Index>(text.size()) ||
        detail::previous_code_point(text, static_cast<Index>(text.size())) != 0)
      FAIL("code point ", static_cast<unsigned>(c));
  }
}
