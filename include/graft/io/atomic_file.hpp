// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>

#include <atomic>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace graft {

namespace detail {

/// A suffix that no other writer of this or another process uses.
[[nodiscard]] inline std::string temporary_suffix() {
  static std::atomic<unsigned> counter{0};
  return ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
}

/// Makes the names in a directory durable. Systems that cannot sync directories are left to themselves.
inline void sync_directory(std::filesystem::path const& directory) {
  int const descriptor = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace detail

/// A file that appears under its name complete or not at all. Bytes go to a temporary file in the same folder; `commit`
/// flushes it to the disk, renames it over the target and flushes the folder. Without `commit` (an exception, a crash) the
/// old file stays as it was; an exception also removes the temporary file.
class AtomicFile {
 public:
  /// A symbolic link is followed: its target is replaced. Errors: the folder is missing or not writable, the target is a
  /// directory.
  explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)), target_(path_) {
    std::error_code ignored;
    if (std::filesystem::is_symlink(path_, ignored)) target_ = std::filesystem::weakly_canonical(path_, ignored);
    require(!path_.empty() && path_.has_filename(), "io", "cannot write '", path_.string(), "': no file name");
    require(!std::filesystem::is_directory(target_, ignored), "io", "cannot write ", path_.string(), ": it is a directory");
    temporary_ = target_;
    temporary_ += detail::temporary_suffix();
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    check(file_ >= 0, "write");
    buffer_.reserve(buffer_size);
  }
  AtomicFile(AtomicFile const&) = delete;
  AtomicFile& operator=(AtomicFile const&) = delete;
  ~AtomicFile() {
    if (file_ < 0) return;
    ::close(file_);
    ::unlink(temporary_.c_str());
  }

  /// Appends bytes. Errors: the disk is full, or another failure of the system.
  void write(std::span<std::byte const> bytes) {
    require_open();
    size_ += bytes.size();
    if (buffer_.size() + bytes.size() > buffer_size) flush();
    if (bytes.size() >= buffer_size)
      write_through(reinterpret_cast<char const*>(bytes.data()), bytes.size());
    else
      buffer_.append(reinterpret_cast<char const*>(bytes.data()), bytes.size());
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

  /// Bytes written so far.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

  /// Makes the file appear. Nothing may be written afterwards.
  void commit() {
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

 private:
  static constexpr std::size_t buffer_size = std::size_t{1} << 16;

  void require_open() const { require(file_ >= 0, "io", path_.string(), " was committed already"); }
  void check(bool success, std::string_view action) const {
    require(success, "io", "cannot ", action, " ", path_.string(), ": ", std::strerror(errno));
  }
  void flush() {
    write_through(buffer_.data(), buffer_.size());
    buffer_.clear();
  }
  void write_through(char const* data, std::size_t size) {
    while (size > 0) {
      ssize_t const written = ::write(file_, data, size);
      if (written < 0 && errno == EINTR) continue;
      check(written >= 0, "write");
      data += written;
      size -= static_cast<std::size_t>(written);
    }
  }

  std::filesystem::path path_;
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int file_ = -1;
  std::string buffer_;
  std::uint64_t size_ = 0;
};

/// Calls writer(AtomicFile&) and commits; when the writer throws, the file at `path` stays as it was.
template <std::invocable<AtomicFile&> Writer>
void write_atomically(std::filesystem::path const& path, Writer&& writer) {
  AtomicFile file(path);
  std::forward<Writer>(writer)(file);
  file.commit();
}

/// Writes `content` as the whole file.
inline void write_atomically(std::filesystem::path const& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace graft
