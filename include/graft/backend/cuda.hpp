// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/backend/cuda/products.hpp>
#ifdef GRAFT_WITH_ONEDNN
#include <graft/backend/onednn.hpp>
#else
#include <graft/backend/eigen.hpp>
#endif

#include <cstddef>
#include <memory>

namespace graft {

namespace detail {
/// The backend beside the card where none is named.
#ifdef GRAFT_WITH_ONEDNN
using CudaHost = OneDnn;
#else
using CudaHost = EigenBackend;
#endif
}  // namespace detail

/// A backend in host memory whose large products go to an NVIDIA device (cuBLAS); all else is `Host`'s: attention, norms, and
/// products too small to be worth the trip. Frozen weights are decoded and uploaded once, at their first use, and stay there; so a
/// base that is quantized or mapped costs the host nothing more, and the device 2 (bf16) or 4 bytes a weight.
///   Cuda<> backend;                                                  // f32, device 0
///   Cuda<> backend({.precision = Precision::bf16});
///   Cuda<EigenBackend> exact({.smallest_flops = 0, .flops_per_byte = 0});  // every product goes
/// What goes is decided by shapes alone, and a product of one shape is computed in one way: results do not depend on the number
/// of threads. Error: no device, no memory on it.
template <class Host = detail::CudaHost>
class Cuda : public Host {
 public:
  Cuda() : Cuda(CudaOptions{}) {}
  explicit Cuda(CudaOptions options) : Host(host_options(options)), products_(std::make_unique<detail::CudaProducts>(options)) {}

  static constexpr char const* name() { return "cuda"; }
  /// Whether this machine has a device.
  [[nodiscard]] static bool available() {
    int count = 0;
    bool const found = cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
    (void)cudaGetLastError();
    return found;
  }
  /// Bytes of frozen weights in the device's memory.
  [[nodiscard]] std::size_t weight_bytes() const { return products_->weight_bytes(); }

  void upload(void const* host, void* device, std::size_t bytes) {
    products_->forget(device, bytes);
    Host::upload(host, device, bytes);
  }
  template <Scalar T>
  void gemm(Op op_a, Op op_b, ValueArg<T> alpha, InArg<T> a, InArg<T> b, ValueArg<T> beta, Out<T> c) {
    if (!products_->gemm<T>(op_a, op_b, alpha, a, b, beta, c)) Host::gemm(op_a, op_b, alpha, a, b, beta, c);
  }
  template <Scalar T>
  void linear_forward(InArg<T> x, StoredMatrix w, Out<T> y) {
    if (!products_->linear_forward<T>(x, w, y)) Host::linear_forward(x, w, y);
  }
  template <Scalar T>
  void linear_backward_input(InArg<T> dy, StoredMatrix w, Out<T> dx) {
    if (!products_->linear_backward_input<T>(dy, w, dx)) Host::linear_backward_input(dy, w, dx);
  }

 private:
  static auto host_options(CudaOptions const& options) { return CpuOptions{.precision = options.precision}; }

  std::unique_ptr<detail::CudaProducts> products_;
};

static_assert(Backend<Cuda<>, float> && Backend<Cuda<>, double>);

}  // namespace graft
