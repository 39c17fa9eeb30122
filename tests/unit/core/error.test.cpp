// SPDX-License-Identifier: Apache-2.0
#include <graft/core/error.hpp>

#include <doctest/doctest.h>

#include <string>

namespace {

/// A part that counts how often it was written.
struct Counted {
  int* writes;
  friend std::ostream& operator<<(std::ostream& out, Counted part) {
    ++*part.writes;
    return out << "counted";
  }
};

}  // namespace

TEST_CASE("error: the message is the tag in brackets, then the parts in order") {
  try {
    graft::fail("lora", "rank must be in 1..", 32, ": got rank=", 64, " for ", std::string("q_proj"));
  } catch (graft::Error const& error) {
    CHECK(std::string(error.what()) == "[lora] rank must be in 1..32: got rank=64 for q_proj");
    CHECK(error.tag() == "lora");
    return;
  }
  FAIL("fail() returned");
}

TEST_CASE("error: is caught as std::runtime_error, and a copy keeps tag and message") {
  try {
    graft::fail("gguf", "truncated");
  } catch (std::runtime_error const& error) {
    auto const copy = dynamic_cast<graft::Error const&>(error);
    CHECK(copy.tag() == "gguf");
    CHECK(std::string(copy.what()) == "[gguf] truncated");
  }
}

TEST_CASE("error: require throws only when the condition fails, and writes its parts only then") {
  int writes = 0;
  graft::require(true, "data", Counted{&writes});
  CHECK(writes == 0);
  CHECK_THROWS_WITH_AS(graft::require(false, "data", Counted{&writes}, '!'), "[data] counted!", graft::Error);
  CHECK(writes == 1);
}

TEST_CASE("error: a part that holds a NUL byte ends what() there, and nothing is read past it") {
  std::string const text("a\0b", 3);
  try {
    graft::fail("text", text, "é");
  } catch (graft::Error const& error) {
    CHECK(std::string(error.what()) == "[text] a");
  }
}

TEST_CASE("error: a value at the edge of its type is printed as a number") {
  CHECK_THROWS_WITH(graft::fail("t", -9223372036854775807LL - 1), "[t] -9223372036854775808");
  CHECK_THROWS_WITH(graft::fail("t", true, ' ', 0.5), "[t] 1 0.5");
}
