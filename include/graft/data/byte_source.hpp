// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace graft {

/// The bytes of a file, inflated if it is gzip (told by its first two bytes, never by its name; several gzip members
/// in one file are read one after another). Reads pipes such as /dev/stdin too.
/// Errors say what is wrong, without the file's name: whoever reads knows the place and adds it.
class ByteSource {
 public:
  /// Opens `path`. Error: it does not exist, is a folder, or may not be read.
  explicit ByteSource(std::string const& path);
  ~ByteSource();
  ByteSource(ByteSource&&) noexcept;
  ByteSource& operator=(ByteSource&&) noexcept;

  /// Writes up to `size` bytes to `out` and returns how many; 0 only at the end.
  /// Error: the gzip stream is cut off, damaged or followed by something else, or the device fails.
  [[nodiscard]] std::size_t read(char* out, std::size_t size);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/data/byte_source.tpp>
#endif
