// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/atomic_file.hpp>

#include <graft/config.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

namespace graft {

namespace detail {

GRAFT_INLINE std::string temporary_suffix() {
  static std::atomic<unsigned> counter{0};
  return ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
}

GRAFT_INLINE void sync_directory(std::filesystem::path const& directory) {
  int const descriptor = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace detail

GRAFT_INLINE AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)), target_(path_) {
  std::error_code ignored;
  if (std::filesystem::is_symlink(path_, ignored)) target_ = std::filesystem::weakly_canonical(path_, ignored);
  require(!path_.empty() && path_.has_filename(), "io", "cannot write '", path_.string(), "': no file name");
  require(!std::filesystem::is_directory(target_, ignored), "io", "cannot write ", path_.string(),
          ": it is a directory");
  temporary_ = target_;
  temporary_ += detail::temporary_suffix();
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  check(file_ >= 0, "write");
  buffer_.reserve(buffer_size);
}

GRAFT_INLINE AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::close(file_);
  ::unlink(temporary_.c_str());
}

GRAFT_INLINE void AtomicFile::write(std::span<std::byte const> bytes) {
  require_open();
  size_ += bytes.size();
  if (buffer_.size() + bytes.size() > buffer_size) flush();
  if (bytes.size() >= buffer_size)
    write_through(reinterpret_cast<char const*>(bytes.data()), bytes.size());
  else
    buffer_.append(reinterpret_cast<char const*>(bytes.data()), bytes.size());
}

GRAFT_INLINE void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

GRAFT_INLINE void AtomicFile::commit() {
  require_open();
  flush();
  bool const durable = ::fsync(file_) == 0;
  check(durable, "flush");
  int const file = std::exchange(file_, -1);
  bool const closed = ::close(file) == 0;
  bool const renamed = closed && ::rename(temporary_.c_str(), target_.c_str()) == 0;
  int const reason = errno;
  if (!renamed) ::unlink(temporary_.c_str());
  require(renamed, "io", "cannot write ", path_.string(), ": ", std::strerror(reason));
  detail::sync_directory(target_.parent_path());
}

GRAFT_INLINE void AtomicFile::check(bool success, std::string_view action) const {
  require(success, "io", "cannot ", action, " ", path_.string(), ": ", std::strerror(errno));
}

GRAFT_INLINE void AtomicFile::flush() {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

GRAFT_INLINE void AtomicFile::write_through(char const* data, std::size_t size) {
  while (size > 0) {
    ssize_t const written = ::write(file_, data, size);
    if (written < 0 && errno == EINTR) continue;
    check(written >= 0, "write");
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

}  // namespace graft
