// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace graft::test {

/// Calls of `operator new` so far, on all threads.
inline std::atomic<std::size_t> allocations{0};

[[nodiscard]] inline void* counted(void* memory) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[nodiscard]] inline void* counted_aligned(std::size_t bytes, std::size_t alignment) {
  return counted(std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment));
}

}  // namespace graft::test

// Replacements may not be inline; weak ones may stand in several translation units of one test program.
#define GRAFT_TEST_WEAK __attribute__((weak))
GRAFT_TEST_WEAK void* operator new(std::size_t bytes) { return graft::test::counted(std::malloc(bytes + 1)); }
GRAFT_TEST_WEAK void* operator new[](std::size_t bytes) { return graft::test::counted(std::malloc(bytes + 1)); }
GRAFT_TEST_WEAK void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return graft::test::counted_aligned(bytes, static_cast<std::size_t>(alignment));
}
GRAFT_TEST_WEAK void* operator new(std::size_t bytes, std::align_val_t alignment, std::nothrow_t const&) noexcept {
  graft::test::allocations.fetch_add(1, std::memory_order_relaxed);
  auto const step = static_cast<std::size_t>(alignment);
  return bytes > static_cast<std::size_t>(-1) / 2 ? nullptr : std::aligned_alloc(step, (bytes + step) / step * step);
}
GRAFT_TEST_WEAK void operator delete(void* memory) noexcept { std::free(memory); }
GRAFT_TEST_WEAK void operator delete[](void* memory) noexcept { std::free(memory); }
GRAFT_TEST_WEAK void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
GRAFT_TEST_WEAK void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
GRAFT_TEST_WEAK void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
GRAFT_TEST_WEAK void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
#undef GRAFT_TEST_WEAK
