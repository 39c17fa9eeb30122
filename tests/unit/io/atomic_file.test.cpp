// SPDX-License-Identifier: Apache-2.0
#include <graft/io/atomic_file.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace graft;
namespace fs = std::filesystem;
using test::message_of;

namespace {
std::ptrdiff_t entries(fs::path const& folder) { return std::distance(fs::directory_iterator(folder), fs::directory_iterator()); }
}  // namespace

TEST_CASE("AtomicFile: the file appears with commit, complete, whatever the sizes of the pieces") {
  test::TemporaryDirectory const folder;
  std::string const large(200000, 'x');
  {
    AtomicFile file(folder / "out");
    file.write("small");
    file.write(large);
    file.write(std::string(60000, 'y'));
    file.write(std::string(60000, 'z'));
    CHECK(file.size() == 320005);
    CHECK(!fs::exists(folder / "out"));
    file.commit();
  }
  CHECK(test::read_file(folder / "out") == "small" + large + std::string(60000, 'y') + std::string(60000, 'z'));
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("AtomicFile: without commit the old file stays and nothing is left behind") {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "out", "old");
  {
    AtomicFile file(folder / "out");
    file.write("new");
  }
  CHECK(test::read_file(folder / "out") == "old");
  CHECK_THROWS_AS(write_atomically(folder / "out",
                                   [](AtomicFile& file) {
                                     file.write("new");
                                     throw std::runtime_error("interrupted");
                                   }),
                  std::runtime_error);
  CHECK(test::read_file(folder / "out") == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("AtomicFile: a process killed while writing leaves the old file") {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "out", "old");
  pid_t const child = fork();
  if (child == 0) {
    AtomicFile file(folder / "out");
    file.write(std::string(100000, 'n'));
    raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(test::read_file(folder / "out") == "old");
}

TEST_CASE("AtomicFile: a write that the system refuses is an error with the reason, and the old file stays") {
  test::TemporaryDirectory const folder;
  test::write_file(folder / "out", "old");
  pid_t const child = fork();
  if (child == 0) {  // a limit on file sizes stands for a full disk
    signal(SIGXFSZ, SIG_IGN);
    rlimit const limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string const message = message_of([&] { write_atomically(folder / "out", std::string(5000, 'n')); });
    _exit(message.find("cannot write") != std::string::npos && message.find("File too large") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(test::read_file(folder / "out") == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("AtomicFile: a symbolic link stays a link, its target is replaced") {
  test::TemporaryDirectory const folder;
  fs::create_directory(folder / "elsewhere");
  test::write_file(folder / "elsewhere/real", "old");
  fs::create_symlink("elsewhere/real", folder / "link");
  write_atomically(folder / "link", "new");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(test::read_file(folder / "elsewhere/real") == "new");
}

TEST_CASE("AtomicFile: targets that cannot be written are refused at once") {
  test::TemporaryDirectory const folder;
  CHECK(message_of([&] { AtomicFile file(folder / "no/such/folder"); }).find("No such file or directory") != std::string::npos);
  CHECK(message_of([&] { AtomicFile file(folder.path()); }).find("it is a directory") != std::string::npos);
  CHECK(message_of([&] { AtomicFile file(folder / "x/"); }).find("no file name") != std::string::npos);
  CHECK(message_of([&] { AtomicFile file(""); }).find("no file name") != std::string::npos);
}

TEST_CASE("AtomicFile: nothing can be written after commit") {
  test::TemporaryDirectory const folder;
  AtomicFile file(folder / "out");
  file.commit();
  CHECK(message_of([&] { file.commit(); }).find("committed already") != std::string::npos);
  CHECK(message_of([&] { file.write("x"); }).find("committed already") != std::string::npos);
  CHECK(test::read_file(folder / "out").empty());
}
