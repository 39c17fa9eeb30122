// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace graft {

/// Host memory on a 64-byte boundary, not initialised; freed with its owner. Zero bytes are a null pointer.
class HostMemory {
 public:
  static constexpr std::size_t alignment = 64;

  HostMemory() = default;
  /// Error: the machine does not give that much.
  explicit HostMemory(std::size_t bytes) {
    if (bytes == 0) return;
    data_ = ::operator new(bytes, std::align_val_t{alignment}, std::nothrow);
    require(data_ != nullptr, "memory", "the machine refused an allocation of ", bytes, " bytes");
  }
  HostMemory(HostMemory&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  HostMemory& operator=(HostMemory&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~HostMemory() { ::operator delete(data_, std::align_val_t{alignment}); }

  [[nodiscard]] void* data() const noexcept { return data_; }

 private:
  void* data_ = nullptr;
};

/// The memory operations of every backend that computes in host memory (concept `MemoryBackend`).
struct HostMemoryOperations {
  using Memory = HostMemory;
  static constexpr bool reads_host_memory = true;  ///< so a mapped file can serve as weights

  [[nodiscard]] Memory allocate(std::size_t bytes) { return Memory(bytes); }
  void upload(void const* host, void* device, std::size_t bytes) {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void download(void const* device, void* host, std::size_t bytes) {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }
  void zero(void* device, std::size_t bytes) {
    if (bytes > 0) std::memset(device, 0, bytes);
  }
  void synchronize() {}
};

}  // namespace graft
