// SPDX-License-Identifier: Apache-2.0
#include <graft/data/ranked_record.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <set>
#include <string>
#include <vector>

using namespace graft;

namespace {

RankedRecord parse(std::string const& line) {
  std::set<std::string> ignored;
  return parse_ranked_record(line, ignored);
}
std::vector<std::string> texts(RankedRecord const& record) { return std::get<0>(record.answers); }
std::string refused(std::string const& line) {
  return test::message_of([&] { (void)parse(line); });
}
using Ranks = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("ranked_record: pairs of strings and of messages, with and without a prompt") {
  auto const pair = parse(R"({"prompt": "2+2=", "chosen": "4", "rejected": "5", "margin": 1.5, "source": "sums"})");
  CHECK(texts(pair) == std::vector<std::string>{"2+2=4", "2+2=5"});
  CHECK(pair.ranks == Ranks{0, 1});
  CHECK(pair.margin == 1.5);
  CHECK(pair.source == "sums");
  CHECK_FALSE(pair.is_conversation());
  CHECK(texts(parse(R"({"chosen": "a", "rejected": "b"})")) == std::vector<std::string>{"a", "b"});
  CHECK(parse(R"({"chosen": "a", "rejected": "b", "margin": null})").margin == 0);

  auto const chat = parse(R"({"prompt": [{"role": "user", "content": "q"}], "chosen": [{"role": "assistant", "content": "a"}],
                              "rejected": [{"role": "assistant", "content": "b"}]})");
  CHECK(chat.is_conversation());
  auto const& answers = std::get<1>(chat.answers);
  REQUIRE(answers.size() == 2);
  REQUIRE(answers[1].size() == 2);
  CHECK(answers[1][0].content == "q");
  CHECK(answers[1][1].content == "b");
}

TEST_CASE("ranked_record: rankings in order, by ranks and by scores, with ties") {
  CHECK(texts(parse(R"({"prompt": "p", "completions": ["a", "b", "c"]})")) == std::vector<std::string>{"pa", "pb", "pc"});
  CHECK(parse(R"({"prompt": "p", "completions": ["a", "b", "c"]})").ranks == Ranks{0, 1, 2});
  auto const ranked = parse(R"({"prompt": "", "completions": ["a", "b", "c", "d"], "ranks": [7, 1, 7, 3]})");
  CHECK(texts(ranked) == std::vector<std::string>{"b", "d", "a", "c"});
  CHECK(ranked.ranks == Ranks{0, 1, 2, 2});
  auto const scored = parse(R"({"prompt": "", "completions": ["a", "b", "c"], "scores": [-1, 2.5, 2.5]})");
  CHECK(texts(scored) == std::vector<std::string>{"b", "c", "a"});
  CHECK(scored.ranks == Ranks{0, 0, 1});
  CHECK(parse(R"({"prompt": [{"role": "user", "content": "q"}], "completions": [[{"role": "assistant", "content": "a"}],
                  [{"role": "assistant", "content": "b"}]]})").is_conversation());
}

TEST_CASE("ranked_record: what is no comparison is refused, with the reason") {
  CHECK(refused(R"({"prompt": "p"})") == "[data] must have chosen and rejected, or prompt and completions: has prompt");
  CHECK(refused(R"({"chosen": "a", "rejected": "b", "completions": ["a"]})").starts_with("[data] must have chosen and rejected, or"));
  CHECK(refused(R"({"chosen": "a"})") == "[data] has chosen but no rejected");
  CHECK(refused(R"({"rejected": "a"})") == "[data] has rejected but no chosen");
  CHECK(refused(R"({"chosen": 1, "rejected": "b"})") == "[data] chosen must be a string or a list of messages: got number");
  CHECK(refused(R"({"prompt": "p", "chosen": [{"role": "assistant", "content": "a"}], "rejected": "b"})") ==
        "[data] prompt and chosen must both be strings or both be lists of messages: got string and array");
  CHECK(refused(R"({"chosen": [{"role": "assistant", "content": "a"}], "rejected": "b"})") ==
        "[data] rejected is a string, but another answer is a list of messages");
  CHECK(refused(R"({"chosen": "b", "rejected": [{"role": "assistant", "content": "a"}]})") ==
        "[data] rejected is a list of messages, but another answer is a string");
  CHECK(refused(R"({"chosen": [{"role": "user", "content": "a"}], "rejected": [{"role": "user", "content": "b"}]})") ==
        "[data] chosen must end with an assistant turn, which is what is judged: got user");
  CHECK(refused(R"({"chosen": "a", "rejected": "b", "margin": "much"})") == "[data] margin must be a number: got string");
  CHECK(refused(R"({"chosen": "a", "rejected": "b", "ranks": [0, 1]})") ==
        "[data] has ranks, which belong to completions: of a pair, chosen is the better");
  CHECK(refused(R"({"completions": ["a", "b"]})") == "[data] has completions but no prompt");
  CHECK(refused(R"({"prompt": "", "completions": ["a"]})") == "[data] completions must be a list of two or more: got 1");
  CHECK(refused(R"({"prompt": "", "completions": "a"})") == "[data] completions must be a list of two or more: got string");
  CHECK(refused(R"({"prompt": "", "completions": ["a", "b"], "ranks": [1, 2], "scores": [1, 2]})") ==
        "[data] has both ranks and scores: keep one");
  CHECK(refused(R"({"prompt": "", "completions": ["a", "b"], "ranks": [1]})") ==
        "[data] ranks must be a list of a number for each of 2 completions: got 1 entries");
  CHECK(refused(R"({"prompt": "", "completions": ["a", "b"], "scores": [1, "x"]})") == "[data] scores must hold numbers: got string");
  CHECK(refused(R"({"chosen": "a", "rejected": "b", "source": 3})") == "[data] source must be a string: got number");
}

TEST_CASE("ranked_record: other keys are noted") {
  std::set<std::string> ignored;
  (void)parse_ranked_record(R"({"chosen": "a", "rejected": "b", "id": 3, "source": "x"})", ignored);
  CHECK(ignored == std::set<std::string>{"id"});
}

TEST_CASE("ranked_record: what is to be scored comes as text, as messages, or as a prompt with its completion") {
  std::set<std::string> ignored;
  auto const scored = [&](std::string const& line) { return parse_scored_text(line, ignored); };
  CHECK(std::get<0>(scored(R"({"text": "t"})")) == "t");
  CHECK(std::get<0>(scored(R"({"prompt": "p", "completion": "c"})")) == "pc");
  CHECK(std::get<0>(scored(R"({"completion": "c"})")) == "c");
  CHECK(std::get<1>(scored(R"({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})")).size() == 2);
  CHECK(std::get<1>(scored(R"({"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]})")).size() == 2);
  CHECK(test::message_of([&] { (void)scored(R"({"prompt": "p"})"); }) ==
        "[data] must have prompt and completion, or messages, or text: has prompt");
  CHECK(test::message_of([&] { (void)scored(R"({"prompt": "p", "text": "t"})"); }) == "[data] has a prompt, but no completion to it");
}
