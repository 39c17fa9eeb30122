// SPDX-License-Identifier: Apache-2.0
#include <graft/core/pages.hpp>

#include <doctest/doctest.h>
#include <support/files.hpp>

#include <cstddef>
#include <fcntl.h>
#include <span>
#include <string>

using namespace graft;

TEST_CASE("pages: what was dropped comes back; parts of pages and nothing at all are allowed") {
  test::TemporaryDirectory const folder;
  constexpr std::size_t size = 3 * 4096 + 100;
  test::write_file(folder / "file", std::string(size, 'x'));
  int const file = ::open((folder / "file").c_str(), O_RDONLY);
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  ::close(file);
  REQUIRE(memory != MAP_FAILED);
  std::span<std::byte const> const bytes(static_cast<std::byte const*>(memory), size);
  for (auto const part : {bytes, bytes.subspan(5000, 10), bytes.subspan(size - 1), bytes.first(0)}) {
    CHECK(read_pages(part));
    drop_pages(part);
  }
  for (std::byte const byte : bytes) REQUIRE(byte == std::byte{'x'});
  ::munmap(memory, size);
}
