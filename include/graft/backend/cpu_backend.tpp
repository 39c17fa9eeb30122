// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu_backend.hpp>
#include <graft/backend/eigen.hpp>
#include <graft/core/parallel.hpp>
#ifdef GRAFT_WITH_ONEDNN
#include <graft/backend/onednn.hpp>
#endif
#ifdef GRAFT_WITH_CUDA
#include <graft/backend/cuda/products.hpp>
#endif

#include <chrono>
#include <utility>
#include <vector>

namespace graft {

namespace detail {

#ifdef GRAFT_WITH_ONEDNN
inline constexpr Products best_products = Products::onednn;
#else
inline constexpr Products best_products = Products::eigen;
#endif

/// The operations of the CPU backends on products that are chosen at run time.
class CpuEngine : public CpuOperations<CpuEngine> {
 public:
  CpuEngine(Products chosen, CpuOptions options) : CpuOperations(options), products(chosen == Products::cuda ? best_products : chosen) {
#ifdef GRAFT_WITH_CUDA
    if (chosen == Products::cuda) device_ = std::make_unique<CudaProducts>(CudaOptions{.precision = options.precision});
#endif
  }

  /// Whether a device is there and f(device) says that it did the work.
  template <class F>
  bool on_device([[maybe_unused]] F const& f) {
#ifdef GRAFT_WITH_CUDA
    return device_ && f(*device_);
#else
    return false;
#endif
  }

  [[nodiscard]] bool multiplies_bf16() const {
#ifdef GRAFT_WITH_ONEDNN
    return products == Products::onednn && OneDnn::multiplies_bf16();
#else
    return false;
#endif
  }
  void tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, float alpha, float const* a, Index lda, float const* b,
                 Index ldb, float beta, float* c, Index ldc) {
#ifdef GRAFT_WITH_ONEDNN
    if (products == Products::onednn)
      return onednn_tile_gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
#endif
    eigen_tile_gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
  void tile_gemm([[maybe_unused]] Op op_a, [[maybe_unused]] Op op_b, [[maybe_unused]] Index m, [[maybe_unused]] Index n,
                 [[maybe_unused]] Index k, float, [[maybe_unused]] bf16 const* a, [[maybe_unused]] Index lda,
                 [[maybe_unused]] bf16 const* b, [[maybe_unused]] Index ldb, [[maybe_unused]] float beta,
                 [[maybe_unused]] float* c, [[maybe_unused]] Index ldc) {
#ifdef GRAFT_WITH_ONEDNN
    onednn_matmul(op_b, m, n, k, a, lda, b, ldb, beta, c, ldc);
#endif
  }

  Products products;  ///< on the host

#ifdef GRAFT_WITH_CUDA
 private:
  std::unique_ptr<CudaProducts> device_;
#endif
};

/// Whether `rounded` computes a product with a stored weight in less than four fifths of `single`'s time: the best of a few of each in turn,
/// so that a slow moment of the machine hits both, on one thread, which waits for no other that a busy machine has put aside.
[[nodiscard]] inline bool is_faster_by_a_fifth(CpuBackend& rounded, CpuBackend& single) {
  constexpr Index tokens = 512, in = 576, out = 576;
  std::vector<float> x(static_cast<std::size_t>(tokens * in), 0.5f), w(static_cast<std::size_t>(out * in), 0.5f),
      y(static_cast<std::size_t>(tokens * out));
  StoredMatrix const weight{Storage::f32, reinterpret_cast<std::byte const*>(w.data()), out, in};
  auto const seconds = [&](CpuBackend& backend) {
    auto const start = std::chrono::steady_clock::now();
    backend.linear_forward(In<float>(x.data(), tokens, in), weight, Out<float>(y.data(), tokens, out));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  int const threads = num_threads();
  set_num_threads(1);
  (void)(seconds(rounded) + seconds(single));  // makes primitives and scratch
  double fast = 1, slow = 1;
  for (int run = 0; run < 10; ++run) {
    fast = std::min(fast, seconds(rounded));
    slow = std::min(slow, seconds(single));
  }
  set_num_threads(threads);
  return fast < 0.8 * slow;
}

}  // namespace detail

GRAFT_INLINE CpuBackend::CpuBackend() : CpuBackend(detail::best_products) {}
GRAFT_INLINE CpuBackend::CpuBackend(Products products, Precision precision)
    : engine_(std::make_unique<detail::CpuEngine>(products, CpuOptions{precision})) {
#ifndef GRAFT_WITH_ONEDNN
  require(products != Products::onednn, "backend", "onednn was asked for, but this program was built without oneDNN ",
          "(Debian: libdnnl-dev, then configure with -DGRAFT_WITH_ONEDNN=ON)");
#endif
#ifndef GRAFT_WITH_CUDA
  require(products != Products::cuda, "backend", "cuda was asked for, but this program was built without it ",
          "(NVIDIA's toolkit, then configure with -DGRAFT_WITH_CUDA=ON)");
#endif
}
GRAFT_INLINE CpuBackend::CpuBackend(CpuBackend&&) noexcept = default;
GRAFT_INLINE CpuBackend& CpuBackend::operator=(CpuBackend&&) noexcept = default;
GRAFT_INLINE CpuBackend::~CpuBackend() = default;

GRAFT_INLINE CpuBackend CpuBackend::named(std::string_view products, std::string_view precision) {
  require(products == "auto" || products == "eigen" || products == "onednn" || products == "cuda", "backend",
          "the backend must be auto, eigen, onednn or cuda: got ", products);
  require(precision == "auto" || precision == "f32" || precision == "bf16" || precision == "int8", "backend",
          "the precision must be auto, f32, bf16 or int8: got ", precision);
  Products const chosen = products == "auto"    ? detail::best_products
                          : products == "eigen" ? Products::eigen
                          : products == "cuda"  ? Products::cuda
                                                : Products::onednn;
  if (precision == "f32" || (precision == "auto" && chosen == Products::cuda)) return CpuBackend(chosen, Precision::f32);
  if (precision == "int8") return CpuBackend(chosen, Precision::int8);
  CpuBackend rounded(chosen, Precision::bf16);
  if (precision == "bf16") return rounded;
  CpuBackend single(chosen, Precision::f32);
  if (!rounded.engine_->multiplies_bf16()) return single;
  return detail::is_faster_by_a_fifth(rounded, single) ? std::move(rounded) : std::move(single);
}

GRAFT_INLINE std::string CpuBackend::description() const {
  std::string const host = engine_->products == Products::onednn ? "onednn, " : "eigen, ";
  return (engine_->on_device([](auto const&) { return true; }) ? "cuda beside " : "") + host + std::string(graft::name(precision()));
}
GRAFT_INLINE Precision CpuBackend::precision() const { return engine_->precision(); }

GRAFT_INLINE void CpuBackend::upload(void const* host, void* device, std::size_t bytes) {
  (void)engine_->on_device([&](auto& products) {
    products.forget(device, bytes);
    return true;
  });
  HostMemoryOperations::upload(host, device, bytes);
}
GRAFT_INLINE void CpuBackend::gemm(Op op_a, Op op_b, float alpha, In<float> a, In<float> b, float beta,
                                   Out<float> c) {
  if (engine_->on_device([&](auto& device) { return device.gemm(op_a, op_b, alpha, a, b, beta, c); })) return;
  engine_->gemm(op_a, op_b, alpha, a, b, beta, c);
}
GRAFT_INLINE void CpuBackend::linear_forward(In<float> x, StoredMatrix w, Out<float> y) {
  if (engine_->on_device([&](auto& device) { return device.linear_forward(x, w, y); })) return;
  engine_->linear_forward(x, w, y);
}
GRAFT_INLINE void CpuBackend::linear_backward_input(In<float> dy, StoredMatrix w, Out<float> dx) {
  if (engine_->on_device([&](auto& device) { return device.linear_backward_input(dy, w, dx); })) return;
  engine_->linear_backward_input(dy, w, dx);
}
GRAFT_INLINE void CpuBackend::copy(In<float> x, Out<float> y) {
  engine_->copy(x, y);
}
GRAFT_INLINE void CpuBackend::add_bias(In<float> bias, Out<float> y) {
  engine_->add_bias(bias, y);
}
GRAFT_INLINE void CpuBackend::sum_rows(In<float> dy, Out<float> sum) {
  engine_->sum_rows(dy, sum);
}
GRAFT_INLINE void CpuBackend::scale_rows(float const* factor, Out<float> y) {
  engine_->scale_rows(factor, y);
}
GRAFT_INLINE double CpuBackend::sum_of_squares(In<float> x) {
  return engine_->sum_of_squares(x);
}
GRAFT_INLINE void CpuBackend::dropout(In<float> x, float p, Philox random, bool accumulate, Out<float> y) {
  engine_->dropout(x, p, random, accumulate, y);
}
GRAFT_INLINE void CpuBackend::rms_norm_forward(In<float> x, In<float> gain, float eps, Out<float> y) {
  engine_->rms_norm_forward(x, gain, eps, y);
}
GRAFT_INLINE void CpuBackend::rms_norm_backward(In<float> x, In<float> gain, float eps, In<float> dy, Out<float> dx,
                                                Out<float> dgain) {
  engine_->rms_norm_backward(x, gain, eps, dy, dx, dgain);
}
GRAFT_INLINE void CpuBackend::layer_norm_forward(In<float> x, In<float> gain, In<float> bias, float eps,
                                                 Out<float> y) {
  engine_->layer_norm_forward(x, gain, bias, eps, y);
}
GRAFT_INLINE void CpuBackend::layer_norm_backward(In<float> x, In<float> gain, float eps, In<float> dy, Out<float> dx,
                                                  Out<float> dgain, Out<float> dbias) {
  engine_->layer_norm_backward(x, gain, eps, dy, dx, dgain, dbias);
}
GRAFT_INLINE void CpuBackend::gated_forward(Activation act, In<float> gate, In<float> up, Out<float> h) {
  engine_->gated_forward(act, gate, up, h);
}
GRAFT_INLINE void CpuBackend::gated_backward(Activation act, In<float> gate, In<float> up, In<float> dh,
                                             Out<float> dgate, Out<float> dup) {
  engine_->gated_backward(act, gate, up, dh, dgate, dup);
}
GRAFT_INLINE void CpuBackend::rope_tables(std::int32_t const* positions, std::span<double const> frequencies,
                                          float factor, Out<float> cos, Out<float> sin) {
  engine_->rope_tables(positions, frequencies, factor, cos, sin);
}
GRAFT_INLINE void CpuBackend::rope(Out<float> x, Index heads, In<float> cos, In<float> sin, bool inverse) {
  engine_->rope(x, heads, cos, sin, inverse);
}
GRAFT_INLINE void CpuBackend::embedding_forward(std::int32_t const* ids, StoredMatrix table, float scale,
                                                Out<float> x) {
  engine_->embedding_forward(ids, table, scale, x);
}
GRAFT_INLINE void CpuBackend::embedding_backward(std::int32_t const* ids, In<float> dx, float scale,
                                                 Out<float> dtable) {
  engine_->embedding_backward(ids, dx, scale, dtable);
}
GRAFT_INLINE void CpuBackend::attention_forward(In<float> q, In<float> k, In<float> v, AttentionShape shape,
                                                PackedSequences const& packed, Out<float> o,
                                                Out<float> lse) {
  engine_->attention_forward(q, k, v, shape, packed, o, lse);
}
GRAFT_INLINE void CpuBackend::attention_backward(In<float> q, In<float> k, In<float> v, In<float> o, In<float> lse,
                                                 In<float> d_o, AttentionShape shape,
                                                 PackedSequences const& packed, Out<float> dq,
                                                 Out<float> dk, Out<float> dv) {
  engine_->attention_backward(q, k, v, o, lse, d_o, shape, packed, dq, dk, dv);
}
GRAFT_INLINE void CpuBackend::attention_cached(In<float> q, AttentionShape shape,
                                               std::span<CachedSequence<float> const> sequences, Out<float> o) {
  engine_->attention_cached(q, shape, sequences, o);
}
GRAFT_INLINE void CpuBackend::softmax_panel(Out<float> panel, std::int32_t const* targets, Index first,
                                            SoftmaxState<float> state) {
  engine_->softmax_panel(panel, targets, first, state);
}
GRAFT_INLINE void CpuBackend::softmax_panel_weighted(In<float> panel, SoftmaxState<float> state,
                                                     Out<float> weighted) {
  engine_->softmax_panel_weighted(panel, state, weighted);
}
GRAFT_INLINE void CpuBackend::token_stats(SoftmaxState<float> state, Index vocabulary, Out<float> stats) {
  engine_->token_stats(state, vocabulary, stats);
}
GRAFT_INLINE void CpuBackend::softmax_panel_backward(Out<float> panel, std::int32_t const* targets, Index first,
                                                     Index vocabulary, SoftmaxState<float> state, In<float> grad) {
  engine_->softmax_panel_backward(panel, targets, first, vocabulary, state, grad);
}

}  // namespace graft
