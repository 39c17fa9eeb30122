// SPDX-License-Identifier: Apache-2.0
#include <graft/io/printable.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace graft;

TEST_CASE("printable: text stays, control characters and broken UTF-8 become hexadecimal") {
  CHECK(printable("model.layers.0") == "model.layers.0");
  CHECK(printable("é € 𝄞") == "é € 𝄞");
  CHECK(printable("a\nb\tc\x7f") == "a\\x0ab\\x09c\\x7f");
  CHECK(printable(std::string("\0", 1)) == "\\x00");
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");      // never valid; a sequence cut short
  CHECK(printable("\xc0\x80") == "\\xc0\\x80");      // overlong
  CHECK(printable("\xe2\x82z") == "\\xe2\\x82z");
  CHECK(printable("").empty());
}

TEST_CASE("printable: long text is cut at a character") {
  CHECK(printable(std::string(50, 'x'), 10) == "xxxxxxxxxx…");
  CHECK(printable(std::string(10, 'x'), 10) == "xxxxxxxxxx");
  CHECK(printable("éééééé", 3) == "éé…");
}
