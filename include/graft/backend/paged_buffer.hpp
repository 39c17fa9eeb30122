// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/buffer.hpp>
#include <graft/core/error.hpp>
#include <graft/core/paged_memory.hpp>

#include <cstddef>
#include <filesystem>
#include <span>

namespace graft {

/// `n` zeros of T in the memory of backend B, as `Buffer`, or, where a directory is given, in a file there (`PagedMemory`).
template <class T, class B>
class PagedBuffer {
 public:
  PagedBuffer() = default;
  /// Errors: a directory, and a backend that has memory of its own; those of both kinds of memory.
  PagedBuffer(B& backend, Index n, std::filesystem::path const& directory) {
    if (directory.empty()) {
      buffer_ = Buffer<T, B>(backend, n);
      return;
    }
    require(
        requires { requires B::reads_host_memory; }, "pages",
        "this backend computes in memory of its own, which has no pages in a file");
    pages_ = PagedMemory(directory, static_cast<std::size_t>(n) * sizeof(T));
  }

  [[nodiscard]] bool paged() const { return !pages_.bytes().empty(); }
  [[nodiscard]] T* data() const { return paged() ? reinterpret_cast<T*>(pages_.bytes().data()) : buffer_.data(); }
  [[nodiscard]] std::size_t bytes() const { return buffer_.bytes() + pages_.bytes().size(); }

 private:
  Buffer<T, B> buffer_;
  PagedMemory pages_;
};

}  // namespace graft
