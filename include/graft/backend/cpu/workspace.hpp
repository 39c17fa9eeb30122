// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/host_memory.hpp>
#include <graft/core/parallel.hpp>
#include <graft/core/scalar.hpp>

namespace graft::detail {

/// The bytes that `count` elements take in scratch memory, rounded up to a cache line.
template <class T>
[[nodiscard]] constexpr std::size_t scratch_bytes(Index count) {
  return (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
}

/// A stretch of scratch memory that is handed out piece by piece, each piece on a cache line of its own.
class Scratch {
 public:
  explicit Scratch(std::byte* data) : data_(data) {}
  template <class T>
  [[nodiscard]] T* take(Index count) {
    auto* const piece = reinterpret_cast<T*>(data_);
    data_ += scratch_bytes<T>(count);
    return piece;
  }

 private:
  std::byte* data_;
};

/// Scratch memory of a backend. It grows to what the largest operation needs and then stays, so that a steady step
/// allocates nothing. Contents do not survive from one operation to the next.
class Workspace {
 public:
  /// One stretch per thread of the parallel loop that follows.
  class PerThread {
   public:
    PerThread(std::byte* data, std::size_t stride, bool nested) : data_(data), stride_(stride), nested_(nested) {}
    /// The calling thread's stretch.
    [[nodiscard]] Scratch mine() const { return Scratch(data_ + (nested_ ? 0 : thread_index()) * stride_); }

   private:
    static std::size_t thread_index() {
#ifdef _OPENMP
      return static_cast<std::size_t>(omp_get_thread_num());
#else
      return 0;
#endif
    }
    std::byte* data_;
    std::size_t stride_;
    bool nested_;  // a caller inside a parallel region gets no threads of its own
  };

  [[nodiscard]] Scratch shared(std::size_t bytes) { return Scratch(grown(shared_, bytes)); }

  [[nodiscard]] PerThread per_thread(std::size_t bytes) {
    std::size_t const stride = (bytes + 4095) / 4096 * 4096 + 64;  // not a multiple of a page: slots differ in cache sets
    bool const nested = in_parallel();
    auto const slots = nested ? 1 : static_cast<std::size_t>(num_threads());
    return {grown(per_thread_, slots * stride), stride, nested};
  }

 private:
  struct Buffer {
    HostMemory memory;
    std::size_t bytes = 0;
  };

  static bool in_parallel() {
#ifdef _OPENMP
    return omp_in_parallel() != 0;
#else
    return false;
#endif
  }
  static std::byte* grown(Buffer& buffer, std::size_t bytes) {
    if (bytes > buffer.bytes) {
      buffer.memory = HostMemory();  // first give back, then take
      buffer.memory = HostMemory(bytes);
      buffer.bytes = bytes;
    }
    return static_cast<std::byte*>(buffer.memory.data());
  }

  Buffer shared_;
  Buffer per_thread_;
};

}  // namespace graft::detail
