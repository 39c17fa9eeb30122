// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/view.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace graft {

/// `n` elements of T in the memory of backend B, freed with the buffer. New memory is zero.
template <class T, class B>
class Buffer {
 public:
  Buffer() = default;
  Buffer(B& backend, Index n)
      : backend_(&backend), memory_(backend.allocate(static_cast<std::size_t>(n) * sizeof(T))), size_(n) {
    backend.zero(memory_.data(), bytes());
  }

  [[nodiscard]] T* data() const { return static_cast<T*>(const_cast<typename B::Memory&>(memory_).data()); }
  [[nodiscard]] Index size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }
  [[nodiscard]] MatrixView<T> view(Index rows, Index cols) const { return {data(), rows, cols}; }

  /// Copies `host`, at most as long as the buffer, to its beginning.
  void upload(std::span<T const> host) { backend_->upload(host.data(), data(), host.size_bytes()); }
  void download(std::span<T> host) const { backend_->download(data(), host.data(), host.size_bytes()); }

 private:
  B* backend_ = nullptr;
  typename B::Memory memory_{};
  Index size_ = 0;
};

}  // namespace graft
