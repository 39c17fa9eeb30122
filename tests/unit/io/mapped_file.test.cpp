// SPDX-License-Identifier: Apache-2.0
#include <graft/io/mapped_file.hpp>
#include <graft/train/peak_rss.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/stat.h>

using namespace graft;
using test::message_of;

TEST_CASE("MappedFile: shows the bytes of the file and shares them among copies") {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "a", "hello\0world" + std::string(1, '\0'));
  std::shared_ptr<void const> owner;
  std::span<std::byte const> bytes;
  {
    MappedFile const file(folder / "a");
    MappedFile const copy = file;
    CHECK(copy.bytes().data() == file.bytes().data());
    file.advise_sequential();
    file.advise_will_need();
    owner = copy.owner();
    bytes = file.bytes();
    CHECK(file.path() == folder / "a");
  }
  REQUIRE(bytes.size() == 6);
  CHECK(static_cast<char>(bytes[4]) == 'o');  // the mapping lives as long as `owner`
}

TEST_CASE("MappedFile: dropped pages leave memory and come back with the same bytes") {
  test::TemporaryDirectory const folder;
  std::string content(std::size_t{16} << 20, 'a');
  for (std::size_t i = 0; i < content.size(); i += 4096) content[i] = static_cast<char>(i >> 12);
  test::write_file(folder / "a", content);
  MappedFile const file(folder / "a");
  auto const agrees = [&] { return std::memcmp(file.bytes().data(), content.data(), content.size()) == 0; };
  REQUIRE(agrees());
  Index const before = resident_bytes();
  file.drop_pages();
  CHECK(resident_bytes() < before - (Index{12} << 20));
  CHECK(agrees());
}

TEST_CASE("MappedFile: a mapping keeps the old content when the name gets another file") {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "a", "old");
  MappedFile const file(folder / "a");
  test::write_file(folder / "b", "new and longer");
  std::filesystem::rename(folder / "b", folder / "a");
  CHECK(file.bytes().size() == 3);
  CHECK(static_cast<char>(file.bytes()[0]) == 'o');
}

TEST_CASE("MappedFile: an empty file is an empty span") {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "empty", "");
  MappedFile const file(folder / "empty");
  CHECK(file.bytes().empty());
  file.advise_sequential();
}

TEST_CASE("MappedFile: what is not a readable regular file is refused by name") {
  test::TemporaryDirectory const folder;
  std::string const missing = (folder / "missing").string();
  CHECK(message_of([&] { MappedFile file(missing); }) == "[io] cannot open " + missing + ": No such file or directory");
  CHECK(message_of([&] { MappedFile file(missing, "gguf"); }).starts_with("[gguf] "));
  CHECK(message_of([&] { MappedFile file(folder.path()); }).find("it is a directory") != std::string::npos);
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(message_of([&] { MappedFile file(folder / "pipe"); }).find("not a regular file") != std::string::npos);
  CHECK(message_of([] { MappedFile file("/dev/zero"); }).find("not a regular file") != std::string::npos);
}
