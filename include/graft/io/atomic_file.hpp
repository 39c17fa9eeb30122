// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace graft {

namespace detail {

/// A suffix that no other writer of this or another process uses.
[[nodiscard]] std::string temporary_suffix();

/// Makes the names in a directory durable. Systems that cannot sync directories are left to themselves.
void sync_directory(std::filesystem::path const& directory);

}  // namespace detail

/// A file that appears under its name complete or not at all. Bytes go to a temporary file in the same folder; `commit`
/// flushes it to the disk, renames it over the target and flushes the folder. Without `commit` (an exception, a crash) the
/// old file stays as it was; an exception also removes the temporary file.
class AtomicFile {
 public:
  /// A symbolic link is followed: its target is replaced. Errors: the folder is missing or not writable, the target is a
  /// directory.
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(AtomicFile const&) = delete;
  AtomicFile& operator=(AtomicFile const&) = delete;
  ~AtomicFile();

  /// Appends bytes. Errors: the disk is full, or another failure of the system.
  void write(std::span<std::byte const> bytes);
  void write(std::string_view text);

  /// Bytes written so far.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::filesystem::path const& path() const { return path_; }

  /// Makes the file appear. Nothing may be written afterwards.
  void commit();

 private:
  static constexpr std::size_t buffer_size = std::size_t{1} << 16;

  void require_open() const { require(file_ >= 0, "io", path_.string(), " was committed already"); }
  void check(bool success, std::string_view action) const;
  void flush();
  void write_through(char const* data, std::size_t size);

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

#ifndef GRAFT_COMPILED
#include <graft/io/atomic_file.tpp>
#endif
