// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cpu/workspace.hpp>

#include <graft/core/parallel.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace graft::test {

TEST_CASE("workspace: it grows, then stays, and pieces do not overlap") {
  detail::Workspace workspace;
  detail::Scratch small = workspace.shared(detail::scratch_bytes<float>(10));
  static_cast<void>(small.take<float>(10));
  detail::Scratch large = workspace.shared(detail::scratch_bytes<double>(1000) + detail::scratch_bytes<float>(3));
  auto* const first = large.take<double>(1000);
  auto* const second = large.take<float>(3);
  CHECK(reinterpret_cast<std::byte*>(second) - reinterpret_cast<std::byte*>(first) >= 8000);
  CHECK(reinterpret_cast<std::uintptr_t>(second) % 64 == 0);
  CHECK(workspace.shared(1).take<double>(1) == first);
}

TEST_CASE("workspace: threads of one loop never share a stretch") {
  detail::Workspace workspace;
  set_num_threads(3);
  constexpr Index n = 2000;
  auto const scratch = workspace.per_thread(detail::scratch_bytes<Index>(n));
  std::atomic<int> wrong{0};
  parallel_for(300, [&](Index task) {
    auto* const mine = scratch.mine().take<Index>(n);
    for (Index i = 0; i < n; ++i) mine[i] = task;
    wrong += static_cast<int>(n - std::count(mine, mine + n, task));
  });
  set_num_threads(2);
  CHECK(wrong == 0);
}

}  // namespace graft::test
