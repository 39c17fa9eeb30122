// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifndef GRAFT_WITH_CUDA
#error "[graft] the CUDA backend needs NVIDIA's toolkit: install it, configure with -DGRAFT_WITH_CUDA=ON or link graft::cuda"
#endif

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <utility>

namespace graft::detail {

/// Error: the runtime refused; the message has its words.
inline void cuda_require(cudaError_t status, char const* what) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // or the next call would report it again
  fail("cuda", what, " failed: ", cudaGetErrorString(status));
}
inline void cuda_require(cublasStatus_t status, char const* what) {
  require(status == CUBLAS_STATUS_SUCCESS, "cuda", what, " failed: ", cublasGetStatusString(status));
}

/// Memory of a device, or page-locked memory of the host, which the device copies from and to at the bus's full rate.
/// It grows on demand and loses its content then.
template <bool on_host>
class CudaMemory {
 public:
  CudaMemory() = default;
  CudaMemory(CudaMemory&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  CudaMemory& operator=(CudaMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~CudaMemory() { release(); }

  /// At least that many bytes. Error: there are not so many.
  void* at_least(std::size_t bytes) {
    if (bytes <= bytes_) return data_;
    release();
    auto const status = on_host ? cudaMallocHost(&data_, bytes) : cudaMalloc(&data_, bytes);
    if (status != cudaSuccess) data_ = nullptr;
    cuda_require(status, (std::string("an allocation of ") + std::to_string(bytes) + (on_host ? " page-locked bytes" : " bytes on the device")).c_str());
    bytes_ = bytes;
    return data_;
  }
  template <class E>
  E* elements(Index count) {
    return static_cast<E*>(at_least(static_cast<std::size_t>(count) * sizeof(E)));
  }
  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void release() {
    if (data_ == nullptr) return;
    if (on_host)
      (void)cudaFreeHost(data_);
    else
      (void)cudaFree(data_);
    data_ = nullptr;
    bytes_ = 0;
  }

  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

using DeviceMemory = CudaMemory<false>;
using PinnedMemory = CudaMemory<true>;

/// A queue of work on the current device, with a library handle whose products go there.
class CudaQueue {
 public:
  CudaQueue() {
    cuda_require(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
    cuda_require(cublasCreate(&handle_), "starting cuBLAS");
    cuda_require(cublasSetStream(handle_, stream_), "cuBLAS's stream");
  }
  CudaQueue(CudaQueue const&) = delete;
  CudaQueue& operator=(CudaQueue const&) = delete;
  ~CudaQueue() {
    if (handle_ != nullptr) (void)cublasDestroy(handle_);
    if (stream_ != nullptr) (void)cudaStreamDestroy(stream_);
  }

  void copy(void const* from, void* to, std::size_t bytes) {
    cuda_require(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "a copy");
  }
  void wait() { cuda_require(cudaStreamSynchronize(stream_), "the work on the device"); }
  [[nodiscard]] cublasHandle_t handle() const { return handle_; }

 private:
  cudaStream_t stream_ = nullptr;
  cublasHandle_t handle_ = nullptr;
};

}  // namespace graft::detail
