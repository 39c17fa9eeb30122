// SPDX-License-Identifier: Apache-2.0
#include <graft/text/nfc.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace graft;

namespace {

std::string nfc(std::string_view text) {
  std::vector<Index> origins;
  std::string out = detail::nfc(text, origins);
  CHECK(origins.size() == out.size());
  CHECK(std::ranges::is_sorted(origins));
  return out;
}

}  // namespace

TEST_CASE("nfc: composition, order of marks, exclusions and Hangul") {
  CHECK(nfc("e\u0301") == "é");
  CHECK(nfc("q\u0307\u0323") == "q\u0323\u0307");
  CHECK(nfc("s\u0323\u0307") == "\u1E69");
  CHECK(nfc("s\u0307\u0323") == "\u1E69");
  CHECK(nfc("a\u0315\u0300\u05AE\u0300b") == "\u00E0\u05AE\u0300\u0315b");  // the standard's own example of blocking
  CHECK(nfc("\u212B\u2126\u212A") == "\u00C5\u03A9K");                      // singletons
  CHECK(nfc("\u0958") == "\u0915\u093C");                                   // excluded from composition
  CHECK(nfc("\u0344") == "\u0308\u0301");
  CHECK(nfc("\u1112\u1161\u11AB \u1100\u1161\u11A7") == "한 가\u11A7");     // U+11A7 is no trailing consonant
  CHECK(nfc("가\u11A8") == "각");
  CHECK(nfc("각\u11A8") == "각\u11A8");
  CHECK(nfc("\u0301") == "\u0301");
  CHECK(nfc("") == "");
  CHECK(nfc("plain \u00E9 日本 😀") == "plain \u00E9 日本 😀");
  CHECK(nfc("\u03B1\u0345\u0301") == "\u1FB4");
  CHECK(nfc("\u09C7\u09BE") == "\u09CB");  // a second part of class 0
  CHECK(nfc("\U0001D15E") == "\U0001D157\U0001D165");
}

TEST_CASE("nfc: applied twice changes nothing") {
  for (char32_t c = 1; c < 0x30000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text = "a";
    detail::append_utf8(text, c);
    text += "\u0323\u0301";
    std::vector<Index> origins;
    std::string const once = detail::nfc(text, origins);
    if (detail::nfc(once, origins) != once) FAIL("code point ", static_cast<unsigned>(c));
  }
}

TEST_CASE("nfc: origins point at the sequence that a character came from") {
  std::vector<Index> origins;
  CHECK(detail::nfc("xe\u0301y", origins) == "xéy");
  CHECK(origins == std::vector<Index>{0, 1, 1, 4});
}

TEST_CASE("nfc: a long run of marks takes no quadratic time") {
  std::string text = "a";
  for (int i = 0; i < 200000; ++i) text += i % 2 ? "\u0323" : "\u0301";
  std::string const normalized = nfc(text);
  CHECK(normalized.starts_with("\u1EA1\u0323"));  // a with the first dot below, then the other dots
  CHECK(normalized.size() == text.size());
}
