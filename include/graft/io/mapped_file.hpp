// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/pages.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace graft {

/// A read-only memory mapping of a whole file. Copies share the mapping; it is undone when the last copy and the last
/// `owner()` are gone. Pages are read when first touched and can be dropped by the system at any time, so a mapped model
/// costs no memory of its own. Another program that shortens the file while it is mapped kills this one (SIGBUS): graft's
/// own writers always replace files instead.
class MappedFile {
 public:
  /// Errors (with `tag`, naming the file): missing, not readable, not a regular file.
  explicit MappedFile(std::filesystem::path path, std::string_view tag = "io") : path_(std::move(path)) {
    // A pipe would block in open(), so look first; the descriptor is checked again below.
    struct stat status {};
    bool const exists = ::stat(path_.c_str(), &status) == 0;
    refuse_unless(exists, tag, std::strerror(errno));
    refuse_unless(!S_ISDIR(status.st_mode), tag, "it is a directory");
    refuse_unless(S_ISREG(status.st_mode), tag, "it is not a regular file");
    int const file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    refuse_unless(file >= 0, tag, std::strerror(errno));
    bool const regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    auto const size = regular ? static_cast<std::size_t>(status.st_size) : 0;
    void* memory = nullptr;
    if (size > 0) memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    int const reason = errno;
    ::close(file);
    refuse_unless(regular, tag, "it is not a regular file");
    refuse_unless(memory != MAP_FAILED, tag, std::strerror(reason));
    if (memory == nullptr) return;
    bytes_ = {static_cast<std::byte const*>(memory), size};
    mapping_ = std::shared_ptr<void const>(memory, [size](void* address) { ::munmap(address, size); });
  }

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }
  [[nodiscard]] std::span<std::byte const> bytes() const { return bytes_; }

  /// Keeps the mapping alive; null for an empty file.
  [[nodiscard]] std::shared_ptr<void const> const& owner() const { return mapping_; }

  /// Hints for the system: the file will be read once from front to back; or its pages will be needed soon.
  void advise_sequential() const { detail::advise_pages(bytes_, MADV_SEQUENTIAL); }
  void advise_will_need() const { want_pages(bytes_); }
  /// Takes the pages that were read so far out of this process's memory; one that is touched again comes from the system's
  /// cache or the file. For a file of which copies were made.
  void drop_pages() const { graft::drop_pages(bytes_); }

 private:
  void refuse_unless(bool condition, std::string_view tag, char const* reason) const {
    require(condition, tag, "cannot open ", path_.string(), ": ", reason);
  }

  std::filesystem::path path_;
  std::span<std::byte const> bytes_;
  std::shared_ptr<void const> mapping_;
};

}  // namespace graft
