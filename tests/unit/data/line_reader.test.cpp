// SPDX-License-Identifier: Apache-2.0
#include <graft/data/line_reader.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/gzip.hpp>
#include <support/message_of.hpp>

#include <string>
#include <vector>

using namespace graft;
using namespace graft::test;

namespace {

std::vector<std::string> lines_of(std::string const& path, LineReaderOptions options = {}) {
  LineReader reader(path, options);
  std::vector<std::string> lines;
  std::string line;
  while (reader.next(line)) {
    lines.push_back(line);
    CHECK(reader.line_number() == static_cast<Index>(lines.size()));
  }
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("line reader: ends of lines, plain and gzip, are told from the content") {
  TemporaryDirectory folder;
  struct Case {
    std::string content;
    Lines lines;
  };
  for (Case const& c :
       {Case{"", {}}, Case{"\n", {""}}, Case{"a", {"a"}}, Case{"a\n", {"a"}}, Case{"a\r\nb", {"a", "b"}},
        Case{"a\n\nb\n\n", {"a", "", "b", ""}},
        Case{"\xef\xbb\xbf"
             "a\n\xef\xbb\xbf"
             "b",
             {"a",
              "\xef\xbb\xbf"
              "b"}},
        Case{"a\rb\n", {"a\rb"}}, Case{"\r\n", {""}},
        Case{std::string("a\0b\n\0", 5), {std::string("a\0b", 3), std::string(1, '\0')}}, Case{"\x1f", {"\x1f"}}}) {
    CAPTURE(c.content);
    write_file(folder / "plain.gz", c.content);
    CHECK(lines_of((folder / "plain.gz").string()) == c.lines);
    write_file(folder / "packed.jsonl", gzip(c.content));
    CHECK(lines_of((folder / "packed.jsonl").string()) == c.lines);
  }
}

TEST_CASE("line reader: lines across its buffers come out whole") {
  TemporaryDirectory folder;
  Lines expected;
  std::string content;
  for (int i = 0; i < 40; ++i) {
    expected.push_back(std::string(static_cast<std::size_t>(i * 997), static_cast<char>('a' + i % 26)) +
                       std::to_string(i));
    content += expected.back() + "\n";
  }
  write_file(folder / "a", content);
  write_file(folder / "b", gzip(content));
  CHECK(lines_of((folder / "a").string()) == expected);
  CHECK(lines_of((folder / "b").string()) == expected);
}

TEST_CASE("line reader: several gzip members are one text") {
  TemporaryDirectory folder;
  write_file(folder / "a", gzip("one\ntw") + gzip("") + gzip("o\nthree"));
  CHECK(lines_of((folder / "a").string()) == Lines{"one", "two", "three"});
}

TEST_CASE("line reader: a line of exactly the limit passes, one byte more is named by its line") {
  TemporaryDirectory folder;
  std::string const path = (folder / "a").string();
  write_file(path, "x\n" + std::string(100000, 'y') + "\n");
  CHECK(lines_of(path, {.max_line_bytes = 100000}).size() == 2);
  CHECK(message_of([&] { lines_of(path, {.max_line_bytes = 99999}); }) ==
        "[data] " + path + ":2: the line is longer than 99999 bytes");
  write_file(path, gzip(std::string(300000, 'y')));  // no newline at all
  CHECK(message_of([&] { lines_of(path, {.max_line_bytes = 65536}); }) ==
        "[data] " + path + ":1: the line is longer than 65536 bytes");
}

TEST_CASE("line reader: every cut of a gzip file is an error, never a short text") {
  TemporaryDirectory folder;
  std::string const path = (folder / "a.gz").string();
  std::string text;
  for (int i = 0; i < 50; ++i) text += std::to_string(i * 7919) + "\n";
  std::string const whole = gzip(text);
  for (std::size_t size = 2; size < whole.size(); ++size) {
    write_file(path, whole.substr(0, size));
    CAPTURE(size);
    std::string const message = message_of([&] { lines_of(path); });
    CHECK(message.starts_with("[data] " + path + ":"));
    CHECK(message.ends_with(": the gzip stream is cut off"));
  }
}

TEST_CASE("line reader: a cut gzip file is named with the line it ends in") {
  TemporaryDirectory folder;
  std::string const path = (folder / "a.gz").string();
  std::string const first = gzip("one\ntwo\nthr");
  write_file(path, first + gzip("ee\n").substr(0, 6));
  CHECK(message_of([&] { lines_of(path); }) == "[data] " + path + ":3: the gzip stream is cut off");
}

TEST_CASE("line reader: damaged gzip files") {
  TemporaryDirectory folder;
  std::string const path = (folder / "a.gz").string();
  std::string const whole = gzip("one\ntwo\nthree\n");
  struct Case {
    std::string name;
    std::string content;
    std::string reason;
  };
  auto const flipped = [&](std::size_t at) {
    std::string copy = whole;
    copy[at] = static_cast<char>(copy[at] ^ 0x10);
    return copy;
  };
  for (Case const& c :
       {Case{"checksum", flipped(whole.size() - 8), "the gzip stream is damaged: incorrect data check"},
        Case{"length", flipped(whole.size() - 2), "the gzip stream is damaged: incorrect length check"},
        Case{"method", flipped(2), "the gzip stream is damaged: unknown compression method"},
        Case{"garbage behind", whole + "{\"text\": \"lost\"}\n", "other bytes follow the end of the gzip stream"},
        Case{"one byte behind", whole + "x", "other bytes follow the end of the gzip stream"}}) {
    CAPTURE(c.name);
    write_file(path, c.content);
    std::string const message = message_of([&] { lines_of(path); });
    CHECK(message.starts_with("[data] " + path + ":"));
    CHECK(message.ends_with(": " + c.reason));
  }
}

TEST_CASE("line reader: files that are no text are named for what they are") {
  TemporaryDirectory folder;
  std::string const path = (folder / "a").string();
  CHECK(message_of([&] { lines_of(path); }) == "[data] " + path + " cannot be opened: No such file or directory");
  CHECK(message_of([&] { lines_of(folder.path().string()); }) ==
        "[data] " + folder.path().string() + " is a folder, not a file");
  for (auto const& [content, name] : {std::pair<std::string, std::string>{"\xff\xfe{\0", "UTF-16"},
                                      {"\xfe\xff\0{", "UTF-16"},
                                      {"PAR1\x15", "Parquet"},
                                      {"PK\x03\x04zip", "a zip archive"},
                                      {"\x28\xb5\x2f\xfd"
                                       "a",
                                       "zstd"},
                                      {"BZh9", "bzip2"},
                                      {"\xfd"
                                       "7zXZ",
                                       "xz"}}) {
    write_file(path, content);
    CHECK(message_of([&] { lines_of(path); }) ==
          "[data] " + path + ":1: must be plain or gzip UTF-8 text: this is " + name);
  }
}
