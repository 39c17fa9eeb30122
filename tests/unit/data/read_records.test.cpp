// SPDX-License-Identifier: Apache-2.0
#include <graft/data/read_records.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

using namespace graft;

namespace {

struct Counts {
  Index records = 0, blank_lines = 0;
};

std::string written(test::TemporaryDirectory const& folder, std::string const& text) {
  auto const path = (folder.path() / "records.jsonl").string();
  std::ofstream(path) << text;
  return path;
}

}  // namespace

TEST_CASE("read_records: every line but the blank ones, with its record and its number") {
  test::TemporaryDirectory const folder;
  Counts counts;
  std::vector<std::string> seen;
  read_records(written(folder, "a\n\n \nb\n"), {}, counts, [&](std::string const& line, Index record, Index number) {
    seen.push_back(line + std::to_string(record) + std::to_string(number));
  });
  CHECK(seen == std::vector<std::string>{"a01", "b14"});
  CHECK(counts.records == 2);
  CHECK(counts.blank_lines == 2);
}

TEST_CASE("read_records: what is refused is named together, and a file without records is an error") {
  test::TemporaryDirectory const folder;
  auto const says = [&](std::string const& text) {
    Counts counts;
    return test::message_of([&] {
      read_records(written(folder, text), {}, counts, [](std::string const& line, Index, Index) { require(line == "good", "data", "is not good"); });
    });
  };
  CHECK(says("good\ngood\n") == "no error");
  auto const message = says("bad\ngood\nbad\n");
  CHECK(message.find("is not good") != std::string::npos);
  CHECK(message.find("1") != std::string::npos);
  CHECK(message.find("3") != std::string::npos);
  CHECK(says("\n").ends_with("records.jsonl has no records"));
}
