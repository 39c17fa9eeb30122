// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/io/atomic_directory.hpp>

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/io/atomic_file.hpp>

#include <fcntl.h>
#include <unistd.h>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace graft {

namespace detail {

GRAFT_INLINE void sync_tree(std::filesystem::path const& directory) {
  for (auto const& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.is_directory()) {
      sync_directory(entry.path());
    } else if (entry.is_regular_file()) {
      int const file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      if (file < 0) continue;
      ::fsync(file);
      ::close(file);
    }
  }
  sync_directory(directory);
}

/// Weights of an earlier save must not stay beside new ones: a reader could mix them.
GRAFT_INLINE bool is_weight_file(std::filesystem::path const& path) {
  std::string const file = path.filename().string();
  return file.ends_with(".safetensors") || file.ends_with(".safetensors.index.json");
}

/// Moves what `old` has and `now` has not, weights excepted.
GRAFT_INLINE void keep_other_entries(std::filesystem::path const& old, std::filesystem::path const& now) {
  for (auto const& entry : std::filesystem::directory_iterator(old)) {
    std::filesystem::path const to = now / entry.path().filename();
    if (!std::filesystem::exists(std::filesystem::symlink_status(to)) && !is_weight_file(entry.path()))
      std::filesystem::rename(entry.path(), to);
  }
}

/// Puts `fresh` where `directory` is; afterwards the old content is at `fresh`. In one step where the file system can,
/// otherwise through a third name.
GRAFT_INLINE void exchange_directories(std::filesystem::path const& fresh, std::filesystem::path const& directory) {
#ifdef RENAME_EXCHANGE
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, directory.c_str(), RENAME_EXCHANGE) == 0) return;
#endif
  std::filesystem::path old = fresh;
  old += ".old";
  std::filesystem::rename(directory, old);
  std::error_code failed;
  std::filesystem::rename(fresh, directory, failed);
  if (failed) {
    std::filesystem::rename(old, directory);
    throw std::filesystem::filesystem_error("rename", fresh, directory, failed);
  }
  std::filesystem::rename(old, fresh);
}

}  // namespace detail

GRAFT_INLINE void write_directory_atomically(std::filesystem::path directory,
                                             std::function<void(std::filesystem::path const&)> const& writer) {
  namespace fs = std::filesystem;
  if (!directory.has_filename()) directory = directory.parent_path();  // "adapter/" is "adapter"
  require(!directory.empty(), "io", "cannot write a directory without a name");
  try {
    if (fs::is_symlink(directory)) directory = fs::canonical(directory);
    require(!fs::exists(directory) || fs::is_directory(directory), "io", "cannot write the directory ",
            directory.string(), ": a file has that name");
    directory = fs::absolute(directory).lexically_normal();
    if (!directory.has_filename()) directory = directory.parent_path();
    require(directory.has_filename(), "io", "cannot replace the directory ", directory.string());
    fs::create_directories(directory.parent_path());

    struct Scratch {
      fs::path path;
      ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
      }
    } scratch{directory};
    scratch.path += detail::temporary_suffix();
    fs::create_directory(scratch.path);
    writer(scratch.path);
    detail::sync_tree(scratch.path);
    if (fs::exists(directory)) {
      require(!fs::equivalent(directory, fs::current_path()), "io", "cannot replace ", directory.string(),
              ": it is the working directory");
      detail::exchange_directories(scratch.path, directory);
      // Should moving fail half-way, then what was not moved must not be deleted.
      fs::path const old = std::exchange(scratch.path, {});
      detail::keep_other_entries(old, directory);
      scratch.path = old;
    } else {
      fs::rename(scratch.path, directory);
    }
    detail::sync_directory(directory.parent_path());
  } catch (fs::filesystem_error const& error) {
    fail("io", "cannot write the directory ", directory.string(), ": ", error.code().message());
  }
}

}  // namespace graft
