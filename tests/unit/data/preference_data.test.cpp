// SPDX-License-Identifier: Apache-2.0
#include <graft/data/preference_data.hpp>

#include <doctest/doctest.h>
#include <graft/data/validate.hpp>
#include <support/message_of.hpp>

#include <numeric>
#include <string>

using namespace graft;
using namespace graft::test;

namespace {

/// Pair i has chosen tokens 10·i … and a rejected answer one token longer; one token is prompt.
PreferenceData pairs_of(Index count, PreferenceDataOptions const& options) {
  std::vector<PreferencePair> pairs;
  for (Index i = 0; i < count; ++i) {
    auto const make = [&](Index length) {
      Example answer{{}, {{1, length}}, i, i + 1};
      for (Index t = 0; t < length; ++t) answer.ids.push_back(static_cast<std::int32_t>(10 * i + t));
      return answer;
    };
    pairs.push_back({make(3 + i % 3), make(4 + i % 3)});
  }
  return PreferenceData(PreferenceDataset(std::move(pairs)), options);
}

std::string parse(std::string const& line) {
  return message_of([&] {
    std::set<std::string> ignored;
    (void)parse_preference(line, {}, ignored);
  });
}

}  // namespace

TEST_CASE("preference data: a pair stays in one micro-batch, and every micro-batch knows the step's counts") {
  auto data = pairs_of(7, {.batch_size = 5, .gradient_accumulation = 2, .seed = 3});
  CHECK(data.steps_per_epoch() == 2);
  std::vector<PreferenceBatch> step;
  data.next_step(step);
  REQUIRE(step.size() == 2);
  Index pairs = 0;
  double chosen = 0;
  for (auto const& batch : step) {
    CHECK(batch.normalizer == 5);
    pairs += batch.pairs();
    CHECK_NOTHROW(validate(batch, 100));
    for (std::size_t s = 0; s < batch.records.size(); s += 2) {
      CHECK(batch.records[s] == batch.records[s + 1]);
      CHECK(batch.preferred[s] == 1);
      CHECK(batch.preferred[s + 1] == 0);
      CHECK(batch.completion_tokens[s] + 1 == batch.completion_tokens[s + 1]);
      chosen += static_cast<double>(batch.predictions(static_cast<Index>(s)));
    }
  }
  CHECK(pairs == 5);
  CHECK(step[0].chosen_tokens == chosen);
  data.next_step(step);
  CHECK(step[0].normalizer == 2);
}

TEST_CASE("preference data: what both answers of a pair begin with is there once, but for the token that predicts the first completion") {
  auto const example = [](std::vector<std::int32_t> ids, Index begin) {
    auto const end = std::ssize(ids);
    return Example{std::move(ids), {{begin, end}}};
  };
  PreferencePair pair{example({1, 2, 3, 4, 5}, 3), example({1, 2, 3, 4, 6, 7}, 3)};
  pair.shared = shareable(pair.chosen, pair.rejected);
  CHECK(pair.shared == 2);  // the third token predicts the completion's first, which is 4 in both
  CHECK(pair.tokens() == 9);
  PreferenceBatch batch, apart;
  append_example(batch, pair);
  CHECK(batch.ids == std::vector<std::int32_t>{1, 2, 3, 4, 5, 3, 4, 6, 7});
  CHECK(batch.cu_seqlens == std::vector<std::int32_t>{0, 5, 9});
  CHECK(batch.prefix_tokens == std::vector<std::int32_t>{0, 2});
  CHECK(batch.rows == std::vector<std::int32_t>{2, 3, 5, 6, 7});
  CHECK(batch.targets == std::vector<std::int32_t>{4, 5, 4, 6, 7});
  CHECK_NOTHROW(validate(batch, 10));
  pair.shared = 0;
  append_example(apart, pair);
  CHECK(apart.targets == batch.targets);
  CHECK(apart.prefix_tokens.empty());
  append_example(batch, pair);
  CHECK(batch.prefix_tokens == std::vector<std::int32_t>{0, 2, 0, 0});
  CHECK(shareable(example({1, 2}, 0), example({1, 2, 3}, 0)) == 0);
  CHECK(shareable(example({1, 2, 3}, 2), example({1, 2, 3}, 2)) == 1);
}

TEST_CASE("preference data: a cursor goes on with the very next pair, and into other data it is refused") {
  PreferenceDataOptions const options{.batch_size = 2, .seed = 9};
  auto data = pairs_of(7, options), other = pairs_of(7, options);
  std::vector<PreferenceBatch> step, again;
  for (int i = 0; i < 5; ++i) data.next_step(step);  // into the second epoch
  auto const cursor = data.cursor();
  data.next_step(step);
  other.seek(cursor);
  other.next_step(again);
  CHECK(step[0].ids == again[0].ids);
  auto const refused = message_of([&] { pairs_of(6, options).seek(cursor); });
  CHECK(refused.starts_with("[data] the cursor belongs to other data than"));
  CHECK(message_of([&] { pairs_of(7, {.batch_size = 2, .seed = 1}).seek(cursor); }).find("seed") != std::string::npos);
  auto fresh = pairs_of(7, options);
  Index seen = 0;
  for (auto const& batch : fresh.epochs(2)) seen += batch.pairs();
  CHECK(seen == 14);
}

TEST_CASE("preference data: records that make no sense are refused by what is wrong with them") {
  CHECK(parse(R"({"prompt": "a", "chosen": "b"})") == "[data] must have chosen and rejected, two answers to compare: has chosen, prompt");
  CHECK(parse(R"({"prompt": "a", "chosen": "b", "rejected": 3})") == "[data] rejected must be a string or a list of messages: got number");
  CHECK(parse(R"({"prompt": "a", "chosen": "b", "rejected": []})").find("rejected is a list") != std::string::npos);
  CHECK(parse(R"({"chosen": "x", "rejected": "y"})").find("begin with different characters") != std::string::npos);
  CHECK(parse(R"({"chosen": "", "rejected": "y"})").find("must not be empty") != std::string::npos);
  CHECK(message_of([] { (void)pairs_of(3, {}); }) == "[data] batch_size, the pairs of a step, must be at least 1: got 0");
  CHECK(message_of([] { (void)pairs_of(3, {.batch_size = 2, .gradient_accumulation = 3}); }).find("at most batch_size") != std::string::npos);
}
