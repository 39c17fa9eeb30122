// SPDX-License-Identifier: Apache-2.0
#include <graft/core/paged_memory.hpp>
#include <graft/core/pages.hpp>
#include <graft/core/scalar.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>
#include <support/message_of.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>

using namespace graft;
using namespace graft::test;

TEST_CASE("paged_memory: zeros in a file without a name, which keep what is written when their pages are dropped") {
  TemporaryDirectory folder;
  std::size_t const bytes = (std::size_t{3} << 20) + 5;
  PagedMemory memory(folder.path(), bytes);
  CHECK(std::filesystem::is_empty(folder.path()));
  REQUIRE(memory.bytes().size() == bytes);
  CHECK(std::ranges::all_of(memory.bytes(), [](std::byte b) { return b == std::byte{0}; }));
  for (std::size_t i = 0; i < bytes; ++i) memory.bytes()[i] = static_cast<std::byte>(i % 251);
  for (int pass = 0; pass < 2; ++pass) {
    drop_pages(memory.bytes().subspan(
        100, std::size_t{1} << 20));  // whole pages, those of its neighbours too: nothing is lost
    want_pages(memory.bytes());
    Index different = 0;
    for (std::size_t i = 0; i < bytes; ++i) different += memory.bytes()[i] == static_cast<std::byte>(i % 251) ? 0 : 1;
    CHECK(different == 0);
  }
  PagedMemory other = std::move(memory);
  CHECK(memory.bytes().empty());
  CHECK(other.bytes()[7] == std::byte{7});
  CHECK(PagedMemory(folder.path(), 0).bytes().empty());
}

TEST_CASE("paged_memory: a missing directory and a disk that is too small are errors that name the place") {
  TemporaryDirectory folder;
  auto const missing = folder.path() / "none";
  CHECK(message_of([&] { PagedMemory(missing, 1); }) ==
        "[pages] cannot make a file in " + missing.string() + ": No such file or directory");
  auto const huge = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max() / 4);
  CHECK(message_of([&] { PagedMemory(folder.path(), huge); })
            .starts_with("[pages] cannot take " + std::to_string(huge) + " bytes of disk in " + folder.path().string() +
                         ": "));
  CHECK(std::filesystem::is_empty(folder.path()));
}
