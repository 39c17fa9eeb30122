// SPDX-License-Identifier: Apache-2.0
#include <graft/data/unpaired_data.hpp>

#include <doctest/doctest.h>
#include <graft/data/validate.hpp>
#include <support/answers.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <set>
#include <string>

using namespace graft;
using namespace graft::test;

namespace {

std::vector<UnpairedRecord> parse(std::string const& line) {
  std::set<std::string> ignored;
  auto records = parse_unpaired(line, {}, ignored);
  CHECK(ignored.empty());
  return records;
}

}  // namespace

TEST_CASE("unpaired data: a record is an answer with its label, and a pair is two") {
  auto one = parse(R"({"prompt": "a", "completion": "b", "label": false})");
  REQUIRE(one.size() == 1);
  CHECK_FALSE(one[0].desirable);
  CHECK(std::get<PromptCompletionRecord>(one[0].record).completion == "b");
  one = parse(R"({"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}], "label": true})");
  CHECK(one[0].desirable);
  CHECK(std::get<ChatPromptCompletionRecord>(one[0].record).completion[0].content == "b");
  auto const two = parse(R"({"chosen": "a good", "rejected": "a bad"})");
  REQUIRE(two.size() == 2);
  CHECK(two[0].desirable);
  CHECK_FALSE(two[1].desirable);
  CHECK(std::get<PromptCompletionRecord>(two[0].record).prompt == "a");
  CHECK(std::get<PromptCompletionRecord>(two[1].record).completion == " bad");
}

TEST_CASE("unpaired data: records that make no sense are refused by what is wrong with them") {
  auto const says = [](std::string const& line) { return message_of([&] { (void)parse(line); }); };
  CHECK(says(R"({"prompt": "a", "completion": "b"})") == "[data] must have label, true for a desirable answer or false: got none");
  CHECK(says(R"({"prompt": "a", "completion": "b", "label": 1})") == "[data] must have label, true for a desirable answer or false: got number");
  CHECK(says(R"({"prompt": "a", "label": true})") == "[data] has prompt but no completion");
  CHECK(says(R"({"prompt": "a", "chosen": "b", "label": true})").find("must have chosen and rejected") != std::string::npos);
  CHECK(message_of([] { (void)UnpairedData(some_answers(3, 9, 6), {}); }) ==
        "[data] batch_size, the answers of a step, must be at least 1: got 0");
}

TEST_CASE("unpaired data: a step's micro-batches count its answers, and a cursor goes on with the very next") {
  UnpairedDataOptions const options{.batch_size = 4, .gradient_accumulation = 2, .seed = 3};
  UnpairedData data(some_answers(7, 50, 6), options), other(some_answers(7, 50, 6), options);
  CHECK(data.dataset().desirable() == 4);
  std::vector<UnpairedBatch> step, again;
  data.next_step(step);
  REQUIRE(step.size() == 2);
  for (auto const& batch : step) {
    CHECK(batch.normalizer == 4);
    CHECK(batch.sequences() == 2);
    CHECK_NOTHROW(validate(batch, 50));
    for (std::size_t s = 0; s < 2; ++s) CHECK((batch.preferred[s] == 1) == data.dataset().answer(batch.records[s]).desirable);
  }
  other.seek(data.cursor());
  data.next_step(step);
  other.next_step(again);
  CHECK(step[0].normalizer == 3);
  CHECK(step[0].ids == again[0].ids);
  CHECK(message_of([&] { (void)data.dataset().answer(7); }).starts_with("[data] answer 7 is not of"));
}

TEST_CASE("unpaired data: a mismatched sequence has one answer's prompt and another's whole completion, cut to the limit") {
  auto const data = some_answers(5, 50, 6);
  for (Index const limit : {6, 0}) {
    UnpairedBatch batch;
    append_mismatched(batch, data[2], data[1], limit);  // a prompt of three tokens, a completion of four
    CHECK(batch.tokens() == (limit == 6 ? 6 : 7));
    CHECK(batch.supervised() == batch.tokens() - 3);
    CHECK(std::equal(batch.ids.begin(), batch.ids.begin() + 3, data[2].ids.begin()));
    CHECK(std::equal(batch.ids.begin() + 3, batch.ids.end(), data[1].completion.begin()));
    CHECK(batch.records.front() == 2);
  }
}
