// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/map_elements.hpp>
#include <graft/backend/host_memory.hpp>
#include <graft/backend/precision.hpp>
#include <graft/config.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace graft {

/// Who multiplies matrices for `CpuBackend`. `cuda`: an NVIDIA card the large products (`Cuda`), the best of the others the rest.
enum class Products : std::uint8_t { eigen, onednn, cuda };

namespace detail {
class CpuEngine;
}

/// The backend of programs: float on the CPU, with Eigen's or oneDNN's products, chosen at run time. The same arithmetic as
/// `EigenBackend` and `OneDnn`, but its operations are ordinary functions: with `graft::compiled` a program that uses it
/// parses neither Eigen nor kernels. For double (gradient checks) use `EigenBackend` or `Reference`.
class CpuBackend : public HostMemoryOperations {
 public:
  static constexpr char const* name() { return "cpu"; }

  /// oneDNN where graft was built with it, in f32.
  CpuBackend();
  /// Error: oneDNN or CUDA in a build without it; no card.
  explicit CpuBackend(Products products, Precision precision = Precision::f32);
  /// From flags: "auto", "eigen", "onednn" or "cuda"; "auto", "f32", "bf16" or "int8". Automatic precision measures a product in
  /// f32 and bf16 and takes bf16 where it is faster by a fifth, with cuda f32; cuda and int8 are never chosen unasked.
  [[nodiscard]] static CpuBackend named(std::string_view products, std::string_view precision);
  CpuBackend(CpuBackend&&) noexcept;
  CpuBackend& operator=(CpuBackend&&) noexcept;
  ~CpuBackend();

  /// "onednn, f32".
  [[nodiscard]] std::string description() const;
  [[nodiscard]] Precision precision() const;

  void upload(void const* host, void* device, std::size_t bytes);
  template <class F, class... P>
  void map(Index n, F const& f, P*... p) {
    detail::map_elements(n, f, p...);
  }
  void gemm(Op op_a, Op op_b, float alpha, In<float> a, In<float> b, float beta, Out<float> c);
  void linear_forward(In<float> x, StoredMatrix w, Out<float> y);
  void linear_backward_input(In<float> dy, StoredMatrix w, Out<float> dx);
  void copy(In<float> x, Out<float> y);
  void add_bias(In<float> bias, Out<float> y);
  void sum_rows(In<float> dy, Out<float> sum);
  void scale_rows(float const* factor, Out<float> y);
  double sum_of_squares(In<float> x);
  void dropout(In<float> x, float p, Philox random, bool accumulate, Out<float> y);
  void rms_norm_forward(In<float> x, In<float> gain, float eps, Out<float> y);
  void rms_norm_backward(In<float> x, In<float> gain, float eps, In<float> dy, Out<float> dx, Out<float> dgain);
  void layer_norm_forward(In<float> x, In<float> gain, In<float> bias, float eps, Out<float> y);
  void layer_norm_backward(In<float> x, In<float> gain, float eps, In<float> dy, Out<float> dx, Out<float> dgain,
                           Out<float> dbias);
  void gated_forward(Activation act, In<float> gate, In<float> up, Out<float> h);
  void gated_backward(Activation act, In<float> gate, In<float> up, In<float> dh, Out<float> dgate, Out<float> dup);
  void rope_tables(std::int32_t const* positions, std::span<double const> frequencies, float factor, Out<float> cos,
                   Out<float> sin);
  void rope(Out<float> x, Index heads, In<float> cos, In<float> sin, bool inverse);
  void embedding_forward(std::int32_t const* ids, StoredMatrix table, float scale, Out<float> x);
  void embedding_backward(std::int32_t const* ids, In<float> dx, float scale, Out<float> dtable);
  void attention_forward(In<float> q, In<float> k, In<float> v, AttentionShape shape,
                         PackedSequences const& packed, Out<float> o, Out<float> lse);
  void attention_backward(In<float> q, In<float> k, In<float> v, In<float> o, In<float> lse, In<float> d_o,
                          AttentionShape shape, PackedSequences const& packed, Out<float> dq,
                          Out<float> dk, Out<float> dv);
  void attention_cached(In<float> q, AttentionShape shape, std::span<CachedSequence<float> const> sequences,
                        Out<float> o);
  void softmax_panel(Out<float> panel, std::int32_t const* targets, Index first, SoftmaxState<float> state);
  void softmax_panel_weighted(In<float> panel, SoftmaxState<float> state, Out<float> weighted);
  void token_stats(SoftmaxState<float> state, Index vocabulary, Out<float> stats);
  void softmax_panel_backward(Out<float> panel, std::int32_t const* targets, Index first, Index vocabulary,
                              SoftmaxState<float> state, In<float> grad);

 private:
  std::unique_ptr<detail::CpuEngine> engine_;
};

static_assert(Backend<CpuBackend, float>);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/backend/cpu_backend.tpp>
#endif
