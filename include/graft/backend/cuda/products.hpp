// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/backend/cuda/product.hpp>
#include <graft/backend/cuda/weights.hpp>
#include <graft/backend/precision.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>

namespace graft {

/// What a `Cuda` backend sends to its device, and what stays there.
struct CudaOptions {
  Precision precision = Precision::f32;  ///< bf16: products with stored weights, as `Precision` says; int8 is an error
  int device = 0;
  double smallest_flops = 5e7;   ///< products of less stay on the host: a trip costs tens of microseconds
  double flops_per_byte = 48;    ///< products of less for each byte that has to travel stay on the host
  std::size_t weight_bytes = 0;  ///< most memory of the device for frozen weights; 0: four fifths of what is free
};

namespace detail {

/// Products on a device with operands and results in host memory. Each function says whether it did the work; if not, the
/// product was too small to be worth the trip. Rows travel in blocks over three queues, so that one block's copy to the device,
/// another's product and a third's copy back run at the same time.
class CudaProducts {
 public:
  explicit CudaProducts(CudaOptions const& options) : options_(options), weights_(usable_memory(options)) {
    for (auto& lane : lanes_) lane = std::make_unique<Lane>();
  }

  template <class T>
  bool gemm(Op op_a, Op op_b, T alpha, In<T> a, In<T> b, T beta, Out<T> c) {
    Index const k = op_a == Op::none ? a.cols : a.rows;
    if (c.empty() || k == 0 || !worth_it<T>(c.rows, c.cols, k, a.size() + b.size() + c.size() * (beta == T{0} ? 1 : 2), 0)) return false;
    use_device();
    Lane& lane = *lanes_.front();
    T* const device_a = send<T>(a, lane.in, lane.device_in, lane.queue);
    T* const device_b = send<T>(b, second_in_, second_device_in_, lane.queue);
    T* const device_c = beta == T{0} ? lane.device_out.template elements<T>(c.size())
                                     : send<T>(In<T>(c), lane.out, lane.device_out, lane.queue);
    cuda_product<T, T>(lane.queue, op_a, op_b, c.rows, c.cols, k, alpha, device_a, a.cols, device_b, b.cols, beta, device_c);
    T* const host_c = lane.out.template elements<T>(c.size());
    lane.queue.copy(device_c, host_c, static_cast<std::size_t>(c.size()) * sizeof(T));
    lane.queue.wait();
    scatter_rows<T>(host_c, false, c);
    return true;
  }

  /// y = x·wᵀ.
  template <class T>
  bool linear_forward(In<T> x, StoredMatrix const& w, Out<T> y) {
    return with_element<T>(x.rows, [&](auto element) { return by_rows<decltype(element), T>(x, w, Op::transpose, false, y); });
  }
  /// dx += dy·w.
  template <class T>
  bool linear_backward_input(In<T> dy, StoredMatrix const& w, Out<T> dx) {
    return with_element<T>(dy.rows, [&](auto element) { return by_rows<decltype(element), T>(dy, w, Op::none, true, dx); });
  }

  void forget(void const* data, std::size_t bytes) { weights_.forget(data, bytes); }
  [[nodiscard]] std::size_t weight_bytes() const { return weights_.bytes(); }

 private:
  struct Lane {
    CudaQueue queue;
    PinnedMemory in, out;
    DeviceMemory device_in, device_out;
  };
  static constexpr Index most_rows = 512;

  static std::size_t usable_memory(CudaOptions const& options) {
    require(options.precision != Precision::int8, "cuda", "the precision must be f32 or bf16: got ", name(options.precision));
    int count = 0;
    auto const status = cudaGetDeviceCount(&count);
    require(status == cudaSuccess, "cuda", "no device: ", cudaGetErrorString(status));
    require(options.device >= 0 && options.device < count, "cuda", "device ", options.device, " was asked for, there are ", count);
    cuda_require(cudaSetDevice(options.device), "choosing the device");
    std::size_t free = 0, total = 0;
    cuda_require(cudaMemGetInfo(&free, &total), "asking for free memory");
    return options.weight_bytes != 0 ? options.weight_bytes : free / 5 * 4;
  }
  void use_device() const { cuda_require(cudaSetDevice(options_.device), "choosing the device"); }

  /// Calls f(E{}) with what products of that many rows with stored weights multiply. With bf16 a few rows are the host's, whose
  /// arithmetic `Precision` tells.
  template <class T, class F>
  bool with_element(Index rows, F&& f) {
    constexpr Index few = 16;
    if constexpr (std::is_same_v<T, float>)
      if (options_.precision == Precision::bf16) return rows > few && f(bf16{});
    return f(T{});
  }
  template <class E>
  [[nodiscard]] bool worth_it(Index m, Index n, Index k, Index elements, Index weights) const {
    double const flops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    return flops >= options_.smallest_flops && flops >= options_.flops_per_byte * sizeof(E) * static_cast<double>(elements + weights);
  }

  template <class T>
  T* send(In<T> x, PinnedMemory& pinned, DeviceMemory& memory, CudaQueue& queue) {
    T* const host = pinned.elements<T>(x.size());
    T* const device = memory.elements<T>(x.size());
    gather_rows<T, T>(x, host);
    queue.copy(host, device, static_cast<std::size_t>(x.size()) * sizeof(T));
    return device;
  }

  /// y = x·op(w), or y += x·op(w).
  template <class E, class T>
  bool by_rows(In<T> x, StoredMatrix const& w, Op op, bool add, Out<T> y) {
    if (x.empty() || y.empty()) return false;
    if (!worth_it<T>(x.rows, y.cols, x.cols, x.size() + y.size(), weights_.resident<E>(w) ? 0 : w.size())) return false;
    use_device();
    E const* const weight = weights_.get<E>(w, lanes_.front()->queue);
    Index const blocks = (x.rows + most_rows - 1) / most_rows;
    auto const finish = [&](Index block) {
      Lane& lane = *lanes_[static_cast<std::size_t>(block) % lanes_.size()];
      lane.queue.wait();
      scatter_rows<T>(static_cast<T const*>(lane.out.data()), add, rows_of(y, block));
    };
    Index done = 0;
    for (Index block = 0; block < blocks; ++block) {
      if (block - done == static_cast<Index>(lanes_.size())) finish(done++);
      Lane& lane = *lanes_[static_cast<std::size_t>(block) % lanes_.size()];
      In<T> const rows = rows_of(x, block);
      E* const host = lane.in.template elements<E>(rows.size());
      E* const device = lane.device_in.template elements<E>(rows.size());
      gather_rows<E, T>(rows, host);
      lane.queue.copy(host, device, static_cast<std::size_t>(rows.size()) * sizeof(E));
      T* const product = lane.device_out.template elements<T>(rows.rows * y.cols);
      cuda_product<E, T>(lane.queue, Op::none, op, rows.rows, y.cols, x.cols, T{1}, device, x.cols, weight, w.cols, T{0}, product);
      std::size_t const bytes = static_cast<std::size_t>(rows.rows * y.cols) * sizeof(T);
      lane.queue.copy(product, lane.out.at_least(bytes), bytes);
    }
    while (done < blocks) finish(done++);
    return true;
  }
  template <class V>
  static V rows_of(V const& view, Index block) {
    return view.rows_between(block * most_rows, std::min(view.rows, (block + 1) * most_rows));
  }

  CudaOptions options_;
  CudaWeights weights_;
  std::array<std::unique_ptr<Lane>, 3> lanes_;
  PinnedMemory second_in_;
  DeviceMemory second_device_in_;
};

}  // namespace detail

}  // namespace graft
