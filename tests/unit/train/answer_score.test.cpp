// SPDX-License-Identifier: Apache-2.0
#include <graft/train/answer_score.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace graft;

namespace graft::test {

inline constexpr std::string_view expected_ticket =
    R"({"intent":"refund","product":"kettle","order":"A-10492","name":null})";

}  // namespace graft::test

using graft::test::expected_ticket;

TEST_CASE("answer score: white space, key order and a Markdown fence do not matter to an exact answer") {
  AnswerScore const perfect{true, 1};
  CHECK(score_answer(expected_ticket, expected_ticket) == perfect);
  CHECK(
      score_answer(expected_ticket,
                   " \n{ \"name\" : null,\n \"order\":\"A-10492\",\"product\":\"kettle\", \"intent\": \"refund\"}\n") ==
      perfect);
  CHECK(score_answer(expected_ticket, "```json\n" + std::string(expected_ticket) + "\n```") == perfect);
  CHECK(score_answer(expected_ticket, "```\n" + std::string(expected_ticket) + "```\n") == perfect);
}

TEST_CASE("answer score: fields count one by one, and values are exact") {
  auto const fields = [](std::string_view answer) { return score_answer(expected_ticket, answer); };
  CHECK(fields(R"({"intent":"refund","product":"Kettle","order":"A-10492","name":null})") == AnswerScore{false, 0.75});
  CHECK(fields(R"({"intent":"refund","product":"kettle","order":"A-10492","name":"null"})") ==
        AnswerScore{false, 0.75});
  CHECK(fields(R"({"intent":"refund","product":"kettle"})") == AnswerScore{false, 0.5});
  CHECK(fields(R"({"intent":"refund","product":"kettle","order":"A-10492","name":null,"extra":1})") ==
        AnswerScore{false, 1});
  CHECK(fields("{}") == AnswerScore{});
}

TEST_CASE("answer score: an object in a sentence gets its fields but is not exact") {
  CHECK(score_answer(expected_ticket, "Here is the ticket: " + std::string(expected_ticket) + " Anything else?") ==
        AnswerScore{false, 1});
  CHECK(score_answer(expected_ticket, R"(So: {"intent":"a } in \" quotes","product":"kettle"} {"order":"A-10492"})") ==
        AnswerScore{false, 0.25});
}

TEST_CASE("answer score: what is no object scores nothing and never throws") {
  for (std::string const answer :
       {"", "   ", "I am sorry to hear that.", "[1, 2]", "\"refund\"", "{\"intent\":\"refund\"", "{", "}{", "```",
        "``````", "```json\n```", "{\"intent\": \xff\xfe}", "{\"a\\", "null"})
    CHECK(score_answer(expected_ticket, answer) == AnswerScore{});
  CHECK(score_answer(expected_ticket, std::string(100000, '{')) == AnswerScore{});
  CHECK(score_answer(expected_ticket, std::string(100000, '[')) == AnswerScore{});
}

TEST_CASE("answer score: expected text is compared as text without the space around it") {
  CHECK(score_answer("Paris", " Paris\n") == AnswerScore{true, 1});
  CHECK(score_answer("Paris", "paris") == AnswerScore{});
  CHECK(score_answer("[1, 2]", "[1,2]") == AnswerScore{});
  CHECK(score_answer("{}", "{}") == AnswerScore{true, 1});
  CHECK(score_answer("{not json}", "{not json}") == AnswerScore{true, 1});
  CHECK(score_answer("", "") == AnswerScore{true, 1});
}
