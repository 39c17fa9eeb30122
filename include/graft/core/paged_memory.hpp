// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

namespace graft {

/// Memory in a file: `bytes` zeros that are written to and read like any other, whose pages the system may take away at any time
/// and write to the disk. The file is in `directory`, has no name, and goes with its owner, however the process ends. What
/// Dettmers et al., "QLoRA", 2023, section 3, have of CUDA's unified memory.
class PagedMemory {
 public:
  PagedMemory() = default;
  /// Errors, before anything is written: the directory cannot be written to, or its disk has not that much room.
  PagedMemory(std::filesystem::path const& directory, std::size_t bytes) {
    if (bytes == 0) return;
    std::string name = (directory / "graft-pages-XXXXXX").string();
    int const file = ::mkstemp(name.data());
    require(file >= 0, "pages", "cannot make a file in ", directory.string(), ": ", std::strerror(errno));
    ::unlink(name.c_str());
    int const full = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
    void* const memory = full == 0 ? ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    int const reason = full != 0 ? full : errno;
    ::close(file);
    require(memory != MAP_FAILED, "pages", "cannot take ", bytes, " bytes of disk in ", directory.string(), ": ",
            std::strerror(reason));
    bytes_ = {static_cast<std::byte*>(memory), bytes};
  }
  PagedMemory(PagedMemory&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  PagedMemory& operator=(PagedMemory&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~PagedMemory() {
    if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
  }

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace graft
