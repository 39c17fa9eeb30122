// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/backend/cuda/device.hpp>
#include <graft/core/bf16_rounding.hpp>
#include <graft/core/parallel.hpp>

#include <algorithm>
#include <type_traits>

namespace graft::detail {

template <class E>
inline constexpr cudaDataType_t cuda_type = std::is_same_v<E, bf16>    ? CUDA_R_16BF
                                            : std::is_same_v<E, float> ? CUDA_R_32F
                                                                       : CUDA_R_64F;

/// c (m, n) = alpha·op(a)·op(b) + beta·c in the device's memory, row-major without gaps: lda and ldb are the columns of a and b
/// as they are stored. Elements E, sums T, both float where E is bf16. cuBLAS counts by columns, so it computes cᵀ = op(b)ᵀ·op(a)ᵀ.
/// float is multiplied as float, never as TF32.
template <class E, class T>
void cuda_product(CudaQueue& queue, Op op_a, Op op_b, Index m, Index n, Index k, T alpha, E const* a, Index lda, E const* b,
                  Index ldb, T beta, T* c) {
  auto const side = [](Op op) { return op == Op::none ? CUBLAS_OP_N : CUBLAS_OP_T; };
  auto const compute = std::is_same_v<T, double> ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F;
  cuda_require(cublasGemmEx_64(queue.handle(), side(op_b), side(op_a), n, m, k, &alpha, b, cuda_type<E>, ldb, a, cuda_type<E>,
                               lda, &beta, c, cuda_type<T>, n, compute, CUBLAS_GEMM_DEFAULT),
               "a product");
}

/// Rows that one thread converts at a time while others convert theirs and the device already copies those before.
inline constexpr Index cuda_rows_of_a_task = 32;

/// Rows of x, without gaps, converted to E on all threads.
template <class E, class T>
void gather_rows(In<T> x, E* to) {
  parallel_blocks(x.rows, cuda_rows_of_a_task, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      if constexpr (std::is_same_v<E, bf16> && std::is_same_v<T, float>)
        round_to_bf16(x.row(r), x.cols, to + r * x.cols);
      else
        std::copy_n(x.row(r), x.cols, to + r * x.cols);
    }
  });
}

/// y = from, or y += from.
template <class T>
void scatter_rows(T const* from, bool add, Out<T> y) {
  parallel_blocks(y.rows, cuda_rows_of_a_task, [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      T const* source = from + r * y.cols;
      T* target = y.row(r);
      if (add)
        for (Index c = 0; c < y.cols; ++c) target[c] += source[c];
      else
        std::copy_n(source, y.cols, target);
    }
  });
}

}  // namespace graft::detail
