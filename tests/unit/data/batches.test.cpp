// SPDX-License-Identifier: Apache-2.0
#include <graft/data/batches.hpp>

#include <doctest/doctest.h>
#include <graft/data/validate.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <map>
#include <ranges>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

constexpr Index vocabulary = 1000;

/// n records of 2 to 40 tokens; the first few or all of them are prompt, in one or two spans.
Dataset make_data(Index n, std::uint64_t seed = 11) {
  Rng rng(seed);
  std::vector<Example> examples;
  for (Index r = 0; r < n; ++r) {
    Example example{.ids = {}, .supervised = {}, .record = r, .line = r + 1};
    auto const length = 2 + static_cast<Index>(rng.below(39));
    for (Index t = 0; t < length; ++t) example.ids.push_back(static_cast<std::int32_t>(rng.below(vocabulary)));
    Index const begin = static_cast<Index>(rng.below(static_cast<std::uint64_t>(length - 1)));
    Index const middle = begin + 2 + static_cast<Index>(rng.below(5));
    append_span(example.supervised, begin, std::min(middle, length));
    if (middle + 3 < length) append_span(example.supervised, middle + 3, length);
    examples.push_back(example);
  }
  return Dataset(std::move(examples));
}

/// What a step asks the model, free of how it is packed: (record, position in it) → target, and the records' ids.
struct Content {
  std::map<std::pair<Index, Index>, std::int32_t> predictions;
  std::map<Index, std::vector<std::int32_t>> ids;
  bool operator==(Content const&) const = default;
};

void add_content(Content& content, TokenBatch const& batch) {
  for (Index s = 0; s < batch.sequences(); ++s) {
    auto const from = batch.cu_seqlens[static_cast<std::size_t>(s)];
    auto const to = batch.cu_seqlens[static_cast<std::size_t>(s) + 1];
    Index const record = batch.records[static_cast<std::size_t>(s)];
    std::vector<std::int32_t> const ids(batch.ids.begin() + from, batch.ids.begin() + to);
    CHECK(content.ids.emplace(record, ids).second);
    for (std::size_t n = 0; n < batch.rows.size(); ++n)
      if (batch.rows[n] >= from && batch.rows[n] < to)
        CHECK(content.predictions.emplace(std::pair{record, Index{batch.rows[n] - from}}, batch.targets[n]).second);
  }
}

Content content_of(std::vector<TokenBatch> const& step) {
  Content content;
  for (TokenBatch const& batch : step) add_content(content, batch);
  return content;
}

std::vector<BatchOptions> const all_options = {
    {.batch_size = 1},
    {.batch_size = 8, .seed = 3},
    {.batch_size = 8, .gradient_accumulation = 4, .seed = 3},
    {.batch_size = 7, .gradient_accumulation = 3, .seed = 4, .shuffle = false},
    {.batch_size = 16, .tokens_per_batch = 64, .seed = 5},
    {.batch_size = 16, .tokens_per_batch = 50, .gradient_accumulation = 3, .seed = 5},
    {.tokens_per_batch = 40, .seed = 6},
    {.tokens_per_batch = 128, .seed = 7},
    {.tokens_per_batch = 60, .gradient_accumulation = 3, .seed = 8},
    {.tokens_per_batch = 1000000},
    {.batch_size = 1000000, .gradient_accumulation = 2},
};

}  // namespace

TEST_CASE("batches: every token and every prediction of every record comes exactly once an epoch") {
  Dataset const data = make_data(101);
  Content expected;
  for (Example const& example : data.examples()) add_content(expected, make_batch(std::vector{example}));
  for (BatchOptions const& options : all_options) {
    CAPTURE(options.batch_size);
    CAPTURE(options.tokens_per_batch);
    CAPTURE(options.gradient_accumulation);
    Batches batches(data, options);
    for (Index epoch = 0; epoch < 3; ++epoch) {
      Content seen;
      Index steps = 0;
      for (auto const& step : batches.steps(1)) {
        ++steps;
        REQUIRE_FALSE(step.empty());
        double weight = 0;
        for (TokenBatch const& batch : step) {
          CHECK_NOTHROW(validate(batch, vocabulary));
          weight += batch.total_weight();
          if (options.tokens_per_batch > 0) CHECK(batch.tokens() <= options.tokens_per_batch);
          add_content(seen, batch);
        }
        for (TokenBatch const& batch : step) CHECK(batch.normalizer == weight);
      }
      CHECK(seen == expected);
      CHECK(steps == batches.steps_per_epoch(epoch));
      CHECK(batches.cursor() == DataCursor{options.seed, epoch + 1, 0, batches.cursor().fingerprint});
    }
    CHECK(batches.total_steps(3) ==
          batches.steps_per_epoch(0) + batches.steps_per_epoch(1) + batches.steps_per_epoch(2));
  }
}

TEST_CASE("batches: accumulation and packing change the micro-batches of a step, never its content") {
  Dataset const data = make_data(101);
  Batches whole(data, {.batch_size = 16, .seed = 5});
  for (BatchOptions const& options :
       {BatchOptions{.batch_size = 16, .gradient_accumulation = 4, .seed = 5},
        BatchOptions{.batch_size = 16, .tokens_per_batch = 64, .seed = 5},
        BatchOptions{.batch_size = 16, .tokens_per_batch = 50, .gradient_accumulation = 3, .seed = 5}}) {
    whole.rewind();
    Batches split(data, options);
    for (int step = 0; step < 20; ++step) {
      auto const one = whole.next_step();
      auto const many = split.next_step();
      REQUIRE(one.size() == 1);
      CHECK(many.size() >= 2);
      CHECK(content_of(one) == content_of(many));
      CHECK(one[0].normalizer == many[0].normalizer);
      CHECK(whole.cursor() == split.cursor());
    }
  }
}

TEST_CASE("batches: the number of micro-batches and the records of each") {
  Dataset const data = make_data(10);
  Batches batches(data, {.batch_size = 7, .gradient_accumulation = 3, .shuffle = false});
  auto step = batches.next_step();
  REQUIRE(step.size() == 3);
  CHECK(step[0].records == std::vector<Index>{0, 1});
  CHECK(step[1].records == std::vector<Index>{2, 3});
  CHECK(step[2].records == std::vector<Index>{4, 5, 6});
  step = batches.next_step();  // the three that are left
  REQUIRE(step.size() == 3);
  CHECK(step[2].records == std::vector<Index>{9});
  step = batches.next_step();
  CHECK(step[0].records == std::vector<Index>{0, 1});
  CHECK(batches.cursor().epoch == 1);
  CHECK(batches.cursor().position == 7);
}

TEST_CASE("batches: a token budget takes records in order while they fit") {
  std::vector<Example> examples;
  for (std::size_t const length : {30u, 10u, 25u, 5u, 11u, 40u}) {
    auto const record = static_cast<Index>(examples.size());
    examples.push_back({std::vector<std::int32_t>(length, 1), {{1, 2}}, record, record + 1});
  }
  Batches batches(Dataset(examples), {.tokens_per_batch = 40, .gradient_accumulation = 2, .shuffle = false});
  auto const first = batches.next_step();
  REQUIRE(first.size() == 2);
  CHECK(first[0].records == std::vector<Index>{0, 1});
  CHECK(first[1].records == std::vector<Index>{2, 3});
  auto const second = batches.next_step();
  REQUIRE(second.size() == 2);
  CHECK(second[0].records == std::vector<Index>{4});
  CHECK(second[1].records == std::vector<Index>{5});
  CHECK(batches.steps_per_epoch() == 2);
}

TEST_CASE("batches: the order is a function of seed and epoch alone") {
  Dataset const data = make_data(50);
  auto const orders = [&](std::uint64_t seed, bool shuffle) {
    Batches batches(data, {.batch_size = 50, .seed = seed, .shuffle = shuffle});
    std::vector<std::vector<Index>> epochs;
    for (TokenBatch const& batch : batches.epochs(3)) epochs.push_back(batch.records);
    return epochs;
  };
  auto const a = orders(1, true);
  REQUIRE(a.size() == 3);
  CHECK(a == orders(1, true));
  CHECK(a != orders(2, true));
  CHECK(std::set<std::vector<Index>>(a.begin(), a.end()).size() == 3);
  for (auto const& order : a) CHECK_FALSE(std::ranges::is_sorted(order));
  for (auto const& order : orders(1, false)) CHECK(std::ranges::is_sorted(order));
  // Known values: a checkpoint written today must name the same records tomorrow.
  CHECK(epoch_order(8, 7, 0, true) == std::vector<Index>{7, 1, 5, 0, 6, 3, 2, 4});
  CHECK(epoch_order(8, 7, 1, true) == std::vector<Index>{3, 6, 1, 2, 0, 4, 5, 7});
  CHECK(epoch_order(0, 7, 1, true).empty());
}

TEST_CASE("batches: a run that is cut off anywhere and resumed elsewhere takes the same steps") {
  Dataset const data = make_data(37);
  for (BatchOptions const& options : all_options) {
    CAPTURE(options.batch_size);
    CAPTURE(options.tokens_per_batch);
    std::vector<std::vector<TokenBatch>> whole;
    std::vector<DataCursor> cursors;
    Batches uninterrupted(data, options);
    cursors.push_back(uninterrupted.cursor());
    for (auto const& step : uninterrupted.steps(3)) {
      whole.push_back(step);
      cursors.push_back(uninterrupted.cursor());
    }
    for (std::size_t cut = 0; cut < cursors.size(); ++cut) {
      Batches resumed(data, options);
      if (cut % 2 == 1) static_cast<void>(resumed.next_step());  // wherever it stood before
      resumed.seek(cursors[cut]);
      CHECK(resumed.cursor() == cursors[cut]);
      std::size_t at = cut;
      for (auto const& step : resumed.steps(3)) {
        REQUIRE(at < whole.size());
        REQUIRE(step.size() == whole[at].size());
        for (std::size_t m = 0; m < step.size(); ++m) {
          CHECK(step[m].ids == whole[at][m].ids);
          CHECK(step[m].cu_seqlens == whole[at][m].cu_seqlens);
          CHECK(step[m].rows == whole[at][m].rows);
          CHECK(step[m].targets == whole[at][m].targets);
          CHECK(step[m].normalizer == whole[at][m].normalizer);
        }
        ++at;
      }
      CHECK(at == whole.size());
    }
  }
}

TEST_CASE("batches: a loop of single epochs, resumed, ends where the uninterrupted one does") {
  Dataset const data = make_data(20);
  Batches first(data, {.batch_size = 4, .seed = 2});
  std::vector<std::vector<Index>> all;
  for (int epoch = 0; epoch < 3; ++epoch)
    for (TokenBatch const& batch : first.epochs(1)) all.push_back(batch.records);
  CHECK(all.size() == 15);
  Batches second(data, {.batch_size = 4, .seed = 2});
  second.seek({2, 1, 8, second.cursor().fingerprint});
  std::vector<std::vector<Index>> rest;
  for (int epoch = 0; epoch < 3; ++epoch)
    for (TokenBatch const& batch : second.epochs(1)) rest.push_back(batch.records);
  CHECK(rest == std::vector(all.begin() + 7, all.end()));
}

TEST_CASE("batches: leaving a range early and taking a new one goes on behind the last batch") {
  Batches batches(make_data(20), {.batch_size = 4, .seed = 2});
  Index taken = 0;
  for ([[maybe_unused]] auto const& batch : batches.epochs(2))
    if (++taken == 3) break;
  CHECK(batches.cursor().position == 12);
  for ([[maybe_unused]] auto const& batch : batches.epochs(2)) ++taken;
  CHECK(taken == 10);
  for ([[maybe_unused]] auto const& batch : batches.epochs(0)) FAIL("no epochs were asked for");
}

TEST_CASE("batches: epochs is a range for the standard's views") {
  Batches batches(make_data(20), {.batch_size = 4});
  Index tokens = 0;
  for (Index const n : batches.epochs(2) | std::views::transform(&TokenBatch::tokens) | std::views::take(3))
    tokens += n;
  CHECK(tokens > 0);
  CHECK(batches.cursor().position >= 12);
}

TEST_CASE("batches: wrong options and cursors get their sentence") {
  struct Case {
    BatchOptions options;
    std::string reason;
  };
  Dataset const data = make_data(5);
  for (Case const& c : {
           Case{{}, "batch_size or tokens_per_batch must be given"},
           Case{{.batch_size = -1}, "batch_size must not be negative: got -1"},
           Case{{.batch_size = 1, .tokens_per_batch = -5}, "tokens_per_batch must not be negative: got -5"},
           Case{{.batch_size = 4, .gradient_accumulation = 0}, "gradient_accumulation must be at least 1: got 0"},
           Case{{.batch_size = 4, .gradient_accumulation = 5},
                "gradient_accumulation must be at most batch_size, the records of a step: got 5 with batch_size=4"},
       })
    CHECK(message_of([&] { Batches(data, c.options); }) == "[data] " + c.reason);

  DatasetReport report;
  report.path = "d.jsonl";
  Dataset const long_record({{.ids = {1, 2, 3}, .supervised = {{1, 3}}, .record = 0, .line = 4}}, report);
  CHECK(message_of([&] { Batches(long_record, {.tokens_per_batch = 2}); }) ==
        "[data] d.jsonl:4: the record has 3 tokens, more than tokens_per_batch=2: raise that, or lower max_length to "
        "cut records");
  CHECK_NOTHROW(Batches(long_record, {.tokens_per_batch = 3}));

  Batches batches(data, {.batch_size = 2, .seed = 1});
  DataCursor const good = batches.cursor();
  auto const seek = [&](DataCursor const& cursor) { return message_of([&] { batches.seek(cursor); }); };
  std::string const other =
      "[data] the cursor belongs to other data than , or to other tokens or another order of it: resume with the same "
      "file, "
      "tokenizer, length limit and shuffling";
  CHECK(seek(Batches(make_data(5, 12), {.batch_size = 2, .seed = 1}).cursor()) == other);
  CHECK(seek(Batches(make_data(4), {.batch_size = 2, .seed = 1}).cursor()) == other);
  CHECK(seek(Batches(data, {.batch_size = 2, .seed = 1, .shuffle = false}).cursor()) == other);
  CHECK(seek(Batches(data, {.batch_size = 2, .seed = 9}).cursor()) ==
        "[data] the cursor belongs to another order: it has seed=9, this data has seed=1");
  CHECK(seek({1, 0, 5, good.fingerprint}) == "[data] a cursor must be at a record of 0..4: got epoch=0, position=5");
  CHECK(seek({1, -1, 0, good.fingerprint}) == "[data] a cursor must be at a record of 0..4: got epoch=-1, position=0");
  CHECK(seek({1, 3, 4, good.fingerprint}) == "no error");

  CHECK(
      message_of([&] { static_cast<void>(Batches(data, {.batch_size = 4, .gradient_accumulation = 2}).epochs(1)); }) ==
      "[data] epochs() needs steps of one batch: with gradient_accumulation=2, batch_size=4, tokens_per_batch=0 a step "
      "may "
      "have several micro-batches: loop over steps()");
  CHECK(message_of([&] { static_cast<void>(batches.steps(-1)); }) ==
        "[data] the number of epochs must not be negative: got -1");
}

TEST_CASE("dataset: examples from elsewhere must teach something") {
  CHECK(message_of([] { Dataset({}); }) == "[data] a data set must have at least one example");
  CHECK(message_of([] {
          Dataset({{.ids = {1, 2}, .supervised = {{0, 1}}, .record = 3, .line = 9}});
        }) == "[data] record 3 (line 9) has no supervised token");
}
