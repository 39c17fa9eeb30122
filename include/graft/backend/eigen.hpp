// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/operations.hpp>
#include <graft/config.hpp>
#include <graft/core/scalar.hpp>

namespace graft {

namespace detail {

/// c (m, n) = alpha·op(a)·op(b) + beta·c, row-major, on the calling thread, by Eigen's kernel.
GRAFT_INLINE void eigen_tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, float alpha, float const* a, Index lda,
                                  float const* b, Index ldb, float beta, float* c, Index ldc);
GRAFT_INLINE void eigen_tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, double alpha, double const* a, Index lda,
                                  double const* b, Index ldb, double beta, double* c, Index ldc);

}  // namespace detail

/// The default backend: host memory, OpenMP threads, Eigen's matrix product. Needs nothing but Eigen's headers.
///   EigenBackend backend;
///   EigenBackend rounded({.precision = Precision::bf16});  // products as bf16 hardware would compute them
class EigenBackend : public CpuOperations<EigenBackend> {
 public:
  EigenBackend() = default;
  explicit EigenBackend(CpuOptions options) : CpuOperations(options) {}

  static constexpr char const* name() { return "eigen"; }

  template <Scalar T>
  void tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, T alpha, T const* a, Index lda, T const* b, Index ldb,
                 T beta, T* c, Index ldc) {
    detail::eigen_tile_gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
};

static_assert(Backend<EigenBackend, float> && Backend<EigenBackend, double>);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/backend/eigen.tpp>
#endif
