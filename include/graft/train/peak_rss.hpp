// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

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

}  // namespace graft
