// SPDX-License-Identifier: Apache-2.0
#include <graft/io/resumable_lines.hpp>

#include <support/files.hpp>
#include <support/message_of.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace graft;

TEST_CASE("resumable_lines: a file made in parts, broken off and gone on with, is the file made at once") {
  test::TemporaryDirectory folder;
  auto const path = folder / "records.jsonl";
  Index calls = 0;
  auto const produce = [&](Index first, Index last) {
    if (++calls == 3) throw std::runtime_error("died");
    std::vector<std::string> lines;
    for (Index i = first; i < last; ++i) lines.push_back("line " + std::to_string(i));
    return lines;
  };
  CHECK_THROWS_AS(write_lines_in_chunks(path, 8, 3, produce), std::runtime_error);
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(test::read_file(path.string() + ".part") == "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\n");
  CHECK(write_lines_in_chunks(path, 8, 3, produce));
  CHECK(calls == 4);
  CHECK(test::read_file(path) == "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\n");
  CHECK_FALSE(std::filesystem::exists(path.string() + ".part"));
  CHECK_FALSE(write_lines_in_chunks(path, 8, 3, produce));
  CHECK(calls == 4);
}

TEST_CASE("resumable_lines: wrong numbers of lines are refused") {
  test::TemporaryDirectory folder;
  auto const one = [](Index, Index) { return std::vector<std::string>{"x"}; };
  CHECK(test::message_of([&] { write_lines_in_chunks(folder / "a", 4, 2, one); }).find("a line for each of 2 records: got 1") != std::string::npos);
  test::write_file(folder / "b.part", "x\n");
  CHECK(test::message_of([&] { write_lines_in_chunks(folder / "b", 4, 2, one); }).find("has 1 lines") != std::string::npos);
}
