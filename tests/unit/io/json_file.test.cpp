// SPDX-License-Identifier: Apache-2.0
#include <graft/io/json_file.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <cstdint>
#include <limits>
#include <string>

using namespace graft;
using detail::Json;
using detail::JsonObject;
using detail::parse_json;
using test::message_of;

namespace {
std::string refusal(std::string const& text) {
  return message_of([&] { (void)parse_json(text, "t", "place"); });
}
}  // namespace

TEST_CASE("parse_json: takes JSON as it is defined and nothing else") {
  CHECK(parse_json(R"({"a":[1,{"b":null}],"c":{"a":1}})", "t", "p")["c"]["a"] == 1);
  for (std::string const text : {"", "{", "{]", "{\"a\":1,}", "{'a':1}", "{\"a\":01}", "nul", "[1] [2]", "// note\n{}", "NaN", "\"\xff\"", "\"\n\""}) {
    CAPTURE(text);
    CHECK(refusal(text).starts_with("[t] place: this is not valid JSON"));
  }
  CHECK(refusal(std::string("{}\0{", 4)) == "[t] place: this is not valid JSON: it holds a zero byte");
  CHECK(refusal("1e999").starts_with("[t] place: this is not valid JSON"));
}

TEST_CASE("parse_json: a key twice in one object is an error, the same key in two objects is not") {
  CHECK(refusal(R"({"x":{"a":1,"b":2,"a":3}})") == "[t] place: the key \"a\" occurs twice");
  CHECK(refusal(R"({"a":{"a":1},"b":{"a":1}})") == "no error");
  CHECK(refusal(R"([{"a":1},{"a":1}])") == "no error");
  CHECK(refusal(R"({"a":1,"\u0061":2})") == "[t] place: the key \"a\" occurs twice");
}

TEST_CASE("parse_json: depth is limited") {
  CHECK(refusal(std::string(63, '[') + std::string(63, ']')) == "no error");
  CHECK(refusal(std::string(65, '[') + std::string(65, ']')) == "[t] place: the JSON is nested deeper than 64 levels");
  CHECK(refusal(std::string(1000000, '[')) == "[t] place: the JSON is nested deeper than 64 levels");
}

TEST_CASE("JsonObject: typed access, null counts as absent") {
  Json const json = {{"i", -3}, {"u", 7u}, {"big", std::numeric_limits<std::uint64_t>::max()}, {"x", 1.5}, {"b", true}, {"s", "text"},
                     {"n", nullptr}, {"o", {{"k", 1}}}, {"a", {1, "two"}}};
  JsonObject const object(json, "t", "p");
  CHECK(object.integer("i") == -3);
  CHECK(object.integer("absent", 4) == 4);
  CHECK(object.integer("n", 5) == 5);
  CHECK(object.number("x") == 1.5);
  CHECK(object.number("u") == 7.0);
  CHECK(object.boolean("b", false));
  CHECK(object.string("s") == "text");
  CHECK(!object.has("n"));
  CHECK(!object.find_string("n").has_value());
  CHECK(object.find_object("o")->integer("k") == 1);
  CHECK(object.array("a").size() == 2);
  CHECK(object.array("absent").empty());
  auto const says = [](auto&& f) { return message_of(f); };
  CHECK(says([&] { (void)object.integer("n"); }) == "[t] p: the key \"n\" is missing");
  CHECK(says([&] { (void)object.integer("x"); }) == "[t] p: x must be an integer: got 1.5");
  CHECK(says([&] { (void)object.integer("big"); }) == "[t] p: big is too large: 18446744073709551615");
  CHECK(says([&] { (void)object.number("s"); }) == "[t] p: s must be a number: got \"text\"");
  CHECK(says([&] { (void)object.boolean("i", true); }) == "[t] p: i must be true or false: got -3");
  CHECK(says([&] { (void)object.string("i"); }) == "[t] p: i must be a string: got -3");
  CHECK(says([&] { (void)object.find_object("a"); }) == "[t] p: a must be an object: got [1,\"two\"]");
  CHECK(says([&] { (void)object.array("o"); }) == "[t] p: o must be an array: got {\"k\":1}");
  CHECK(says([&] { (void)object.find_object("o")->integer("z"); }) == "[t] p: o: the key \"z\" is missing");
  CHECK(says([&] { JsonObject const wrong(json["a"], "t", "p"); }) == "[t] p: a JSON object is expected here: got [1,\"two\"]");
}
