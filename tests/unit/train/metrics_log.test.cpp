// SPDX-License-Identifier: Apache-2.0
#include <graft/train/metrics_log.hpp>

#include <doctest/doctest.h>
#include <graft/train/peak_rss.hpp>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <cmath>
#include <limits>

using namespace graft;
using namespace graft::test;

namespace graft::test {

inline MetricsRow metrics_of(Index step) {
  auto const s = static_cast<double>(step);
  return {step, 1 / s, 0.1 * s, 2e-4, 100 + step, 250, 0.5, 500};
}

}  // namespace graft::test

TEST_CASE("metrics: a line a step with exactly the documented keys in their order, and a closing line") {
  TemporaryDirectory folder;
  auto const path = folder / "metrics.jsonl";
  {
    MetricsLog log(path);
    log.write({.step = 1,
               .loss = 2.5,
               .grad_norm = 0.125,
               .learning_rate = 2e-4,
               .supervised_tokens = 30,
               .tokens = 90,
               .seconds = 0.1,
               .tokens_per_second = 900});
    CHECK(read_file(path) ==
          "{\"step\": 1, \"loss\": 2.5, \"grad_norm\": 0.125, \"learning_rate\": 2e-04, \"supervised_tokens\": 30, "
          "\"tokens\": 90, \"seconds\": 0.1, \"tokens_per_second\": 900}\n");
    log.finish(123456789);
  }
  CHECK(read_file(path).ends_with("}\n{\"peak_rss_bytes\": 123456789}\n"));
  CHECK(read_rows(path).size() == 1);
  Metrics streamed;
  streamed.add("streamed_bytes", 7e9);
  streamed.add("stream_wait_seconds", 0.25);
  MetricsLog(path, 1).finish(5, streamed);
  CHECK(read_file(path).ends_with("}\n{\"peak_rss_bytes\": 5, \"streamed_bytes\": 7000000000, \"stream_wait_seconds\": 0.25}\n"));
  CHECK(read_rows(path).size() == 1);
}

TEST_CASE("metrics: every double reads back as the same bits, JSON and CSV, and NaN as null") {
  TemporaryDirectory folder;
  for (auto const* name : {"m.jsonl", "m.csv"}) {
    MetricsRow row{7, 1.0 / 3, 5e-324, 1.7976931348623157e308, 3, 4, 0.1, 123456.789};
    {
      MetricsLog log(folder / name);
      log.write(row);
      row.loss = std::nan("");
      row.grad_norm = std::numeric_limits<double>::infinity();
      log.write(row);
      log.finish(1);
    }
    auto const rows = read_rows(folder / name);
    REQUIRE(rows.size() == 2);
    row.loss = 1.0 / 3;
    row.grad_norm = 5e-324;
    CHECK(rows[0] == row);
    CHECK(std::isnan(rows[1].loss));
    CHECK(std::isnan(rows[1].grad_norm));
  }
  CHECK(read_file(folder / "m.jsonl").find("\"loss\": null, \"grad_norm\": null") != std::string::npos);
  CHECK(read_file(folder / "m.csv")
            .starts_with("step,loss,grad_norm,learning_rate,supervised_tokens,tokens,seconds,tokens_per_second\n7,0."
                         "3333333333333333,5e-324,"));
  CHECK(read_file(folder / "m.csv").find("\n7,,,") != std::string::npos);
}

TEST_CASE("metrics: resuming drops the lines after the step, the closing line and a line broken off, and goes on") {
  TemporaryDirectory folder;
  for (auto const* name : {"m.jsonl", "m.csv"})
    for (auto const* tail : {"", "{\"step\": 6, \"lo", "6,0.1", "\n", "{\"peak_rss_bytes\": 5}\n"}) {
      INFO(name, " ", tail);
      auto const path = folder / name;
      {
        MetricsLog log(path);
        for (Index step = 1; step <= 5; ++step) log.write(metrics_of(step));
      }
      if (std::string_view(tail).starts_with("{\"peak") && path.extension() == ".csv") continue;
      std::ofstream(path, std::ios::app) << tail;
      {
        MetricsLog log(path, 3);
        log.write(metrics_of(4));
      }
      auto const rows = read_rows(path);
      REQUIRE(rows.size() == 4);
      for (Index step = 1; step <= 4; ++step) CHECK(rows[static_cast<std::size_t>(step) - 1] == metrics_of(step));
    }
}

TEST_CASE("metrics: a new run starts the file anew, and resuming without a file begins one") {
  TemporaryDirectory folder;
  write_file(folder / "old.jsonl", "garbage\n");
  { MetricsLog log(folder / "old.jsonl"); }
  CHECK(read_file(folder / "old.jsonl").empty());
  { MetricsLog log(folder / "none.csv", 10); }
  CHECK(read_file(folder / "none.csv").starts_with("step,loss"));
  CHECK(read_rows(folder / "none.csv").empty());
}

TEST_CASE("metrics: evaluations have a file of their own with their own keys") {
  TemporaryDirectory folder;
  EvaluationRow const row{100, 0.75, 4000, 2.5};
  { EvaluationLog(folder / "e.jsonl").write(row); }
  CHECK(read_file(folder / "e.jsonl") ==
        "{\"step\": 100, \"loss\": 0.75, \"supervised_tokens\": 4000, \"seconds\": 2.5}\n");
  CHECK(read_rows<EvaluationRow>(folder / "e.jsonl").at(0) == row);
}

TEST_CASE("metrics: a file that is something else is refused by file and line") {
  TemporaryDirectory folder;
  auto const path = (folder / "m.jsonl").string();
  auto const good = detail::row_text(metrics_of(1), false) + "\n";
  for (auto const* bad : {"hello\n", "[1, 2]\n", "{}\n", "{\"step\": \"1\"}\n", "{\"step\": -1}\n"}) {
    for (auto const& after : {good, std::string()}) {
      write_file(path, good + bad + after);
      CHECK(message_of([&] { (void)read_rows(path); }) == "[metrics] " + path + ":2: not a row of metrics");
    }
  }
  write_file(folder / "m.csv", "a,b\n1,2\n");
  CHECK(message_of([&] { (void)read_rows(folder / "m.csv"); }).find("m.csv:1: the header must be step,loss,") !=
        std::string::npos);
  CHECK(message_of([&] { (void)read_rows(folder / "absent.csv"); }).find("cannot read") != std::string::npos);
  CHECK(message_of([&] { MetricsLog log(folder / "no/such/m.jsonl"); }).find("cannot write") != std::string::npos);
}

TEST_CASE("peak rss: it grows by what is touched and never shrinks") {
  Index const before = peak_rss_bytes();
  CHECK(before > 1 << 20);
  {
    std::vector<char> block(std::size_t{64} << 20, 1);
    CHECK(block[block.size() / 2] == 1);
  }
  Index const after = peak_rss_bytes();
  CHECK(after >= before);
  CHECK(after > 64 << 20);
}
