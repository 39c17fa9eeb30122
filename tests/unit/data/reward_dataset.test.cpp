// SPDX-License-Identifier: Apache-2.0
#include <graft/data/reward_dataset.hpp>

#include <doctest/doctest.h>
#include <support/message_of.hpp>

#include <sstream>
#include <vector>

using namespace graft;

namespace {

RewardExample const pair{{{1, 2, 3}, {1, 4}}, {0, 1}, 0.5f, 2, 7, 9};
RewardExample const ranking{{{5}, {6, 6}, {7}}, {0, 0, 1}, 0, -1, 8, 10};

}  // namespace

TEST_CASE("reward_dataset: a batch reads each answer at its last token") {
  RewardBatch batch;
  append_example(batch, pair);
  append_example(batch, ranking);
  CHECK(batch.ids == std::vector<std::int32_t>{1, 2, 3, 1, 4, 5, 6, 6, 7});
  CHECK(batch.cu_seqlens == std::vector<std::int32_t>{0, 3, 5, 6, 8, 9});
  CHECK(batch.rows == std::vector<std::int32_t>{2, 4, 5, 7, 8});
  CHECK(batch.targets.empty());
  CHECK(batch.cu_groups == std::vector<std::int32_t>{0, 2, 5});
  CHECK(batch.ranks == std::vector<std::int32_t>{0, 1, 0, 0, 1});
  CHECK(batch.margins == std::vector<float>{0.5f, 0});
  CHECK(batch.sources == std::vector<std::int32_t>{2, -1});
  CHECK(batch.records == std::vector<Index>{7, 7, 8, 8, 8});
  CHECK(batch.groups() == 2);
  CHECK(batch.total_weight() == 2);
  batch.clear();
  CHECK(batch.groups() == 0);
  append_example(batch, pair);
  CHECK(batch.cu_groups == std::vector<std::int32_t>{0, 2});
}

TEST_CASE("reward_dataset: what answers share with the first one lies in a batch once, but for the token that is judged") {
  RewardExample example{{{1, 2, 3, 4}, {1, 2, 5}, {1, 2, 3, 4}, {6}}, {0, 1, 1, 2}};
  example.share();
  CHECK(example.shared == std::vector<Index>{0, 2, 3, 0});
  CHECK(example.tokens() == 7);
  RewardBatch batch;
  append_example(batch, pair);
  append_example(batch, example);
  CHECK(batch.ids == std::vector<std::int32_t>{1, 2, 3, 1, 4, 1, 2, 3, 4, 5, 4, 6});
  CHECK(batch.cu_seqlens == std::vector<std::int32_t>{0, 3, 5, 9, 10, 11, 12});
  CHECK(batch.prefix_tokens == std::vector<std::int32_t>{0, 0, 0, 2, 3, 0});
  CHECK(batch.rows == std::vector<std::int32_t>{2, 4, 8, 9, 10, 11});
}

TEST_CASE("reward_dataset: examples count their tokens and comparisons") {
  CHECK(pair.tokens() == 5);
  CHECK(pair.longest() == 3);
  CHECK(pair.pairs() == 1);
  CHECK(ranking.pairs() == 2);
  CHECK(RewardExample{{{1}, {2}, {3}, {4}}, {0, 1, 2, 3}}.pairs() == 6);
  CHECK(RewardExample{{{1}, {2}}, {0, 0}}.pairs() == 0);
}

TEST_CASE("reward_dataset: the fingerprint sees tokens, ranks and margins") {
  auto const of = [](RewardExample const& example) { return RewardDataset({example}).fingerprint(); };
  auto other = pair;
  CHECK(of(other) == of(pair));
  other.margin = 0.25f;
  CHECK(of(other) != of(pair));
  other = pair;
  other.ranks = {0, 0};
  CHECK(of(other) != of(pair));
  other = pair;
  other.answers = {{1, 2}, {3, 1, 4}};
  CHECK(of(other) != of(pair));
  CHECK(test::message_of([] { RewardDataset data({}); }) == "[data] a data set must have at least one group of answers");
}

TEST_CASE("reward_dataset: the report leaves out what did not happen") {
  RewardReport report;
  report.path = "p.jsonl";
  report.records = report.groups = 3;
  report.answers = 6;
  report.pairs = 3;
  report.tokens = 50;
  report.longest = 12;
  std::ostringstream plain;
  plain << report;
  CHECK(plain.str() == "p.jsonl: 3 records, 3 kept with 6 answers, 3 comparisons, 50 tokens, longest answer 12\n");
  report.max_length = 10;
  report.too_long_lines = {4};
  for (Index line = 1; line <= 12; ++line) report.undecided_lines.push_back(line);
  report.identical_lines = {2, 3};
  report.blank_lines = 1;
  report.ignored_keys = {"id"};
  std::ostringstream full;
  full << report;
  CHECK(full.str().substr(plain.str().size()) ==
        "  left out, longer than 10 tokens: 1 record, line 4\n"
        "  left out, no answer is better than another: 12 records, lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …\n"
        "  better and worse answer are the same: 2 records, lines 2, 3\n"
        "  blank lines skipped: 1\n"
        "  keys ignored: id\n");
}
