// SPDX-License-Identifier: Apache-2.0
#include <graft/text/unicode_class.hpp>

#include <doctest/doctest.h>

using namespace graft::detail;

TEST_CASE("unicode classes: as many code points as Hugging Face's tokenizers has (Unicode 16; Digits: 17)") {
  long letters = 0, numbers = 0, spaces = 0, digit_steps = 0, words = 0, mixed = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    auto const bits = unicode_class(c);
    letters += (bits & char_class::letter) != 0;
    numbers += (bits & char_class::number) != 0;
    spaces += (bits & char_class::space) != 0;
    digit_steps += (bits & char_class::digit_step) != 0;
    words += (bits & char_class::word) != 0;
    mixed += ((bits & char_class::letter) != 0) + ((bits & char_class::number) != 0) + ((bits & char_class::space) != 0) > 1;
  }
  CHECK(letters == 141028);
  CHECK(numbers == 1911);
  CHECK(spaces == 25);
  CHECK(digit_steps == 1911 + 13);
  CHECK(words == 144667);
  CHECK(mixed == 0);
}

TEST_CASE("unicode classes: single characters") {
  using namespace char_class;
  CHECK(unicode_class(U'a') == (letter | word));
  CHECK(unicode_class(U'7') == (number | digit_step | word));
  CHECK(unicode_class(U'½') == (number | digit_step));
  CHECK(unicode_class(U'_') == word);
  CHECK(unicode_class(U'\u0301') == word);  // a mark is no letter
  CHECK(unicode_class(U'\u00A0') == space);
  CHECK(unicode_class(U'\u200B') == 0);
  CHECK(unicode_class(U'\u1C89') == (letter | word));         // new in Unicode 16
  CHECK(unicode_class(U'\U00011DE5') == (digit_step));        // new in Unicode 17
  CHECK(unicode_class(U'\U0010FFFF') == 0);
}
