// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifndef GRAFT_WITH_ONEDNN
#error "[graft] the OneDnn backend needs oneDNN: install it (Debian: libdnnl-dev), define GRAFT_WITH_ONEDNN and link dnnl, or use EigenBackend"
#endif

#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/operations.hpp>
#include <graft/backend/eigen.hpp>
#include <graft/config.hpp>
#include <graft/core/scalar.hpp>

#include <cassert>

namespace graft {

namespace detail {

/// c (m, n) = alpha·op(a)·op(b) + beta·c, row-major, on the calling thread, by oneDNN.
GRAFT_INLINE void onednn_tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, float alpha, float const* a, Index lda,
                                   float const* b, Index ldb, float beta, float* c, Index ldc);

/// The same by a matmul primitive, which exists for bf16 operands too: a is not transposed, alpha = 1, beta = 0 or 1.
/// Primitives are kept by shape. Error: this processor has no such primitive.
GRAFT_INLINE void onednn_matmul(Op op_b, Index m, Index n, Index k, bf16 const* a, Index lda, bf16 const* b, Index ldb,
                                float beta, float* c, Index ldc);
GRAFT_INLINE void onednn_matmul(Op op_b, Index m, Index n, Index k, float const* a, Index lda, float const* b, Index ldb,
                                float beta, float* c, Index ldc);

/// Whether this processor multiplies bf16 (AVX512_BF16 or AMX).
[[nodiscard]] GRAFT_INLINE bool onednn_multiplies_bf16();

}  // namespace detail

/// Host memory, OpenMP threads, oneDNN's float product (on AVX2 about 1.5 times Eigen's); double goes to Eigen.
///   OneDnn backend({.precision = Precision::bf16});
/// multiplies weights in bf16 by hardware where there is any, else gives the same rounding of the operands in float.
class OneDnn : public CpuOperations<OneDnn> {
 public:
  OneDnn() = default;
  explicit OneDnn(CpuOptions options) : CpuOperations(options) {}

  static constexpr char const* name() { return "onednn"; }
  [[nodiscard]] static bool multiplies_bf16() {
    static bool const answer = detail::onednn_multiplies_bf16();
    return answer;
  }

  void tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, float alpha, float const* a, Index lda, float const* b,
                 Index ldb, float beta, float* c, Index ldc) {
    detail::onednn_tile_gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
  void tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, double alpha, double const* a, Index lda, double const* b,
                 Index ldb, double beta, double* c, Index ldc) {
    detail::eigen_tile_gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }
  void tile_gemm([[maybe_unused]] Op op_a, Op op_b, Index m, Index n, Index k, [[maybe_unused]] float alpha, bf16 const* a,
                 Index lda, bf16 const* b, Index ldb, float beta, float* c, Index ldc) {
    assert(op_a == Op::none && alpha == 1.0f);
    detail::onednn_matmul(op_b, m, n, k, a, lda, b, ldb, beta, c, ldc);
  }
};

static_assert(Backend<OneDnn, float> && Backend<OneDnn, double>);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/backend/onednn.tpp>
#endif
