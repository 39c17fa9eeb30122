// SPDX-License-Identifier: Apache-2.0
#include <graft/data/reward_data.hpp>

#include <graft/io/hf_tokenizer.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <set>
#include <string>
#include <vector>

using namespace graft;

namespace {

Tokenizer const& tokenizer() {
  static Tokenizer const tokens(read_hf_tokenizer(test::fixtures / "sft/tokenizer"));
  return tokens;
}

struct File {
  explicit File(std::string const& text) : path((folder / "p.jsonl").string()) { test::write_file(path, text); }
  test::TemporaryDirectory folder;
  std::string path;
};

}  // namespace

TEST_CASE("reward_data: what is left out is counted with its line, the rest keeps its place and source") {
  File const file(
      "{\"chosen\": \"yes\", \"rejected\": \"no\", \"source\": \"b\"}\n"
      "\n"
      "{\"chosen\": \"a very long answer that nobody wants to read to its end\", \"rejected\": \"no\", \"source\": \"a\"}\n"
      "{\"prompt\": \"p\", \"completions\": [\"a\", \"b\", \"c\"], \"ranks\": [2, 1, 2], \"source\": \"a\"}\n"
      "{\"prompt\": \"p\", \"completions\": [\"a\", \"b\"], \"scores\": [1, 1]}\n"
      "{\"chosen\": \"same\", \"rejected\": \"same\"}\n");
  auto const data = load_reward_dataset(file.path, tokenizer(), {.max_length = 12});
  REQUIRE(data.size() == 3);
  CHECK(data.report().records == 5);
  CHECK(data.report().too_long_lines == std::vector<Index>{3});
  CHECK(data.report().undecided_lines == std::vector<Index>{5});
  CHECK(data.report().identical_lines == std::vector<Index>{6});
  CHECK(data.report().answers == 7);
  CHECK(data.report().pairs == 4);
  CHECK(data.sources() == std::vector<std::string>{"b", "a"});
  CHECK(data[0].source == 0);
  CHECK(data[1].source == 1);
  CHECK(data[1].ranks == std::vector<std::int32_t>{0, 1, 1});
  CHECK(data[1].line == 4);
  CHECK(data[1].record == 2);
  CHECK(data[2].source == -1);
  CHECK(data[0].answers[0].back() == *tokenizer().eos());
}

TEST_CASE("reward_data: every group of a step is whole, and each micro-batch counts the groups of the step") {
  std::string text;
  for (int i = 0; i < 7; ++i) text += "{\"chosen\": \"yes " + std::to_string(i) + "\", \"rejected\": \"no\"}\n";
  File const file(text);
  RewardData data(file.path, tokenizer(), {.batch_size = 3, .seed = 5, .gradient_accumulation = 2});
  CHECK(data.steps_per_epoch() == 3);
  std::set<Index> seen;
  for (auto const& step : data.steps(1)) {
    Index groups = 0;
    for (auto const& batch : step) {
      CHECK(batch.sequences() == 2 * batch.groups());
      CHECK(batch.rows.size() == batch.ranks.size());
      groups += batch.groups();
      for (auto const record : batch.records) seen.insert(record);
    }
    for (auto const& batch : step) CHECK(batch.normalizer == static_cast<double>(groups));
  }
  CHECK(seen.size() == 7);
  auto const cursor = data.cursor();
  auto const next = data.next_step();
  data.seek(cursor);
  CHECK(data.next_step()[0].ids == next[0].ids);
}

TEST_CASE("reward_data: bad lines are reported together; nothing to learn from is an error") {
  auto const message = [](std::string const& text, RewardDataOptions const& options = {}) {
    File const file(text);
    auto what = test::message_of([&] { (void)load_reward_dataset(file.path, tokenizer(), options); });
    for (auto at = what.find(file.path); at != std::string::npos; at = what.find(file.path)) what.replace(at, file.path.size(), "F");
    return what;
  };
  CHECK(message("{\"chosen\": \"a\"}\n{\"text\": \"a\"}\n") ==
        "[data] F has 2 bad lines:\n  F:1: has chosen but no rejected\n  F:2: must have chosen and rejected, or prompt and "
        "completions: has text");
  CHECK(message("\n") == "[data] F has no records");
  CHECK(message("{\"chosen\": \"abc\", \"rejected\": \"b\"}\n", {.max_length = 2}) ==
        "[data] F: none of 1 records is left: 1 have an answer of more than max_length=2 tokens (longest 3), 0 have no better answer");
  CHECK(message("x", {.max_length = 0}) == "[data] max_length must be at least 1: got 0");
}
