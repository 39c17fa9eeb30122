// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sys/resource.h>
#include <fstream>
#include <string>

namespace graft {

/// The resident set of this process now, in bytes; 0 where the system does not say.
[[nodiscard]] inline Index resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;)
    if (Index kibibytes = 0; key == "VmRSS:" && status >> kibibytes) return kibibytes * 1024;
  return 0;
}

/// The largest resident set of this process so far, in bytes. Linux says it in /proc/self/status (VmHWM); elsewhere
/// getrusage does, which on Linux would also count what was resident before exec.
[[nodiscard]] inline Index peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;)
    if (Index kibibytes = 0; key == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return static_cast<Index>(usage.ru_maxrss);
#else
  return static_cast<Index>(usage.ru_maxrss) * 1024;
#endif
}

/// Begins `peak_rss_bytes` anew: what comes next is measured alone. Memory that the allocator keeps is given back first. Says whether
/// the system can (Linux: /proc/self/clear_refs).
inline bool reset_peak_rss() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  std::ofstream reset("/proc/self/clear_refs");
  reset << 5 << std::flush;
  return reset.good();
}

}  // namespace graft
