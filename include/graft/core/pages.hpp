// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/mman.h>
#include <unistd.h>

namespace graft {

namespace detail {

/// madvise on the whole pages that `bytes` touches. Returns errno, 0 for success.
inline int advise_pages(std::span<std::byte const> bytes, int advice) {
  if (bytes.empty()) return 0;
  auto const page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto const begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  auto const end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size());
  return ::madvise(reinterpret_cast<void*>(begin), end - begin, advice) == 0 ? 0 : errno;
}

}  // namespace detail

/// Begins to read `bytes` of a mapped file or of a `PagedMemory`, which will be needed soon; does not wait.
inline void want_pages(std::span<std::byte const> bytes) { detail::advise_pages(bytes, MADV_WILLNEED); }

/// Brings `bytes` of a mapped file into memory and returns when they are there. Returns false if the file cannot give them
/// (it was shortened, or the disk failed): touching them would kill the process.
[[nodiscard]] inline bool read_pages(std::span<std::byte const> bytes) {
  constexpr int populate_read = 22;  // MADV_POPULATE_READ of Linux 5.14, which older headers do not name
  want_pages(bytes);
  int const reason = detail::advise_pages(bytes, populate_read);
  if (reason != EINVAL) return reason == 0;
  auto const page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (std::size_t i = 0; i < bytes.size(); i += page) (void)*static_cast<std::byte const volatile*>(bytes.data() + i);
  return true;
}

/// Takes `bytes` of a mapped file out of this process's memory; what is touched again comes from the system's cache or the
/// file. Only for mappings that are read-only or shared with the file, to which the system writes what was changed: other memory would
/// lose it.
inline void drop_pages(std::span<std::byte const> bytes) { detail::advise_pages(bytes, MADV_DONTNEED); }

}  // namespace graft
