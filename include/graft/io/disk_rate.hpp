// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <unistd.h>

namespace graft {

/// Bytes a second that the disk below the file `path` gives, past the system's cache: up to 256 MiB from its middle are read
/// in one go, for at most a third of a second. 0 if the file is too small to say, or its file system knows no such reading.
[[nodiscard]] inline double measured_disk_rate(std::filesystem::path const& path) {
  constexpr std::size_t piece = std::size_t{4} << 20, most = std::size_t{256} << 20;
  std::error_code failed;
  auto const size = std::filesystem::file_size(path, failed);
  if (failed || size < 2 * piece) return 0;
  int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  if (file < 0) return 0;
  std::unique_ptr<void, decltype(&std::free)> const buffer(std::aligned_alloc(4096, piece), &std::free);
  auto const pieces = static_cast<off_t>(std::min<std::size_t>(size, most) / piece);
  auto const first = std::max<off_t>(0, static_cast<off_t>(size / piece) - pieces) / 2;
  auto const begin = std::chrono::steady_clock::now();
  double seconds = 0;
  std::size_t bytes = 0;
  for (off_t i = 0; i < pieces && seconds < 0.33; ++i) {
    auto const got = ::pread(file, buffer.get(), piece, (first + i) * static_cast<off_t>(piece));
    if (got <= 0) break;
    bytes += static_cast<std::size_t>(got);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  ::close(file);
  return seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
}

}  // namespace graft
