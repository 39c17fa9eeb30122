// SPDX-License-Identifier: Apache-2.0
#include <graft/io/atomic_directory.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>

using namespace graft;
namespace fs = std::filesystem;
using test::message_of;
using test::read_file;
using test::write_file;

namespace {
std::ptrdiff_t entries(fs::path const& folder) { return std::distance(fs::directory_iterator(folder), fs::directory_iterator()); }
}  // namespace

TEST_CASE("write_directory_atomically: a new directory appears with everything in it, parents included") {
  test::TemporaryDirectory const folder;
  write_directory_atomically(folder / "runs/one/adapter/", [&](fs::path const& to) {
    CHECK(fs::is_empty(to));
    CHECK(!fs::exists(folder / "runs/one/adapter"));
    write_file(to / "config.json", "{}");
    fs::create_directory(to / "sub");
    write_file(to / "sub/x", "1");
  });
  CHECK(read_file(folder / "runs/one/adapter/config.json") == "{}");
  CHECK(read_file(folder / "runs/one/adapter/sub/x") == "1");
  CHECK(entries(folder / "runs/one") == 1);
}

TEST_CASE("write_directory_atomically: replaces what it writes, keeps other files, drops stale weights") {
  test::TemporaryDirectory const folder;
  fs::create_directory(folder / "model");
  write_file(folder / "model/config.json", "old");
  write_file(folder / "model/notes.txt", "mine");
  write_file(folder / "model/model-00001-of-00002.safetensors", "old");
  write_file(folder / "model/model.safetensors.index.json", "old");
  write_directory_atomically(folder / "model", [](fs::path const& to) {
    write_file(to / "config.json", "new");
    write_file(to / "model.safetensors", "new");
  });
  CHECK(read_file(folder / "model/config.json") == "new");
  CHECK(read_file(folder / "model/model.safetensors") == "new");
  CHECK(read_file(folder / "model/notes.txt") == "mine");
  CHECK(entries(folder / "model") == 3);
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("write_directory_atomically: a writer that throws leaves the old directory") {
  test::TemporaryDirectory const folder;
  fs::create_directory(folder / "model");
  write_file(folder / "model/config.json", "old");
  CHECK_THROWS_AS(write_directory_atomically(folder / "model",
                                             [](fs::path const& to) {
                                               write_file(to / "config.json", "new");
                                               throw std::runtime_error("interrupted");
                                             }),
                  std::runtime_error);
  CHECK(read_file(folder / "model/config.json") == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("write_directory_atomically: follows a symbolic link to the directory") {
  test::TemporaryDirectory const folder;
  fs::create_directory(folder / "real");
  fs::create_directory_symlink(folder / "real", folder / "latest");
  write_directory_atomically(folder / "latest", [](fs::path const& to) { write_file(to / "x", "1"); });
  CHECK(fs::is_symlink(folder / "latest"));
  CHECK(read_file(folder / "real/x") == "1");
}

TEST_CASE("write_directory_atomically: refuses places that it must not replace") {
  test::TemporaryDirectory const folder;
  write_file(folder / "file", "x");
  auto const refusal = [](fs::path const& directory) {
    return message_of([&] { write_directory_atomically(directory, [](fs::path const&) { FAIL("the writer was called"); }); });
  };
  CHECK(refusal(folder / "file").find("a file has that name") != std::string::npos);
  CHECK(refusal(folder / "file/below").find("[io] cannot write the directory") != std::string::npos);
  CHECK(refusal("/").find("[io] cannot") != std::string::npos);
  CHECK(refusal("").find("without a name") != std::string::npos);
  CHECK(message_of([] { write_directory_atomically(fs::current_path(), [](fs::path const&) {}); }).find("working directory") !=
        std::string::npos);
  CHECK(read_file(folder / "file") == "x");
}
