// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/host_memory.hpp>

#include "support/message_of.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace graft::test {

static_assert(!std::is_copy_constructible_v<HostMemory> && std::is_nothrow_move_constructible_v<HostMemory>);

TEST_CASE("host memory: every size is aligned to a cache line and writable") {
  for (std::size_t const bytes : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}, std::size_t{1} << 20}) {
    HostMemory const memory(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) % HostMemory::alignment == 0);
    std::memset(memory.data(), 1, bytes);
  }
  CHECK(HostMemory(0).data() == nullptr);
}

TEST_CASE("host memory: a moved-from owner is empty and assignment frees the old block") {
  HostMemory a(100);
  void* const data = a.data();
  HostMemory b(std::move(a));
  CHECK(b.data() == data);
  HostMemory c(10);
  c = std::move(b);
  CHECK(c.data() == data);
}

#ifndef __SANITIZE_ADDRESS__  // which ends the program at such a request
TEST_CASE("host memory: a size that no machine has is an error that names it") {
  std::size_t const huge = std::numeric_limits<std::size_t>::max() / 4;
  CHECK(message_of([&] { HostMemory const memory(huge); }) ==
        "[memory] the machine refused an allocation of " + std::to_string(huge) + " bytes");
}
#endif

TEST_CASE("host memory: upload, download and zero take any size, none too") {
  HostMemoryOperations memory;
  auto const block = memory.allocate(16);
  std::vector<char> const out(16, 'x');
  std::vector<char> in(16, '-');
  memory.upload(out.data(), block.data(), 16);
  memory.zero(static_cast<char*>(block.data()) + 8, 8);
  memory.download(block.data(), in.data(), 16);
  CHECK(std::string(in.data(), 8) == "xxxxxxxx");
  CHECK(std::string(in.data() + 8, 8) == std::string(8, '\0'));
  memory.upload(nullptr, nullptr, 0);
  memory.download(nullptr, nullptr, 0);
  memory.zero(nullptr, 0);
}

}  // namespace graft::test
