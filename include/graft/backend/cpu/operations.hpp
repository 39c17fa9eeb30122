// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/attention_backward.hpp>
#include <graft/backend/cpu/attention_cached.hpp>
#include <graft/backend/cpu/attention_forward.hpp>
#include <graft/backend/cpu/dropout.hpp>
#include <graft/backend/cpu/elementwise.hpp>
#include <graft/backend/cpu/embedding.hpp>
#include <graft/backend/cpu/gated.hpp>
#include <graft/backend/cpu/gemm.hpp>
#include <graft/backend/cpu/linear.hpp>
#include <graft/backend/cpu/norm.hpp>
#include <graft/backend/cpu/rope.hpp>
#include <graft/backend/cpu/softmax_panel.hpp>
#include <graft/backend/cpu/workspace.hpp>
#include <graft/backend/host_memory.hpp>
#include <graft/backend/precision.hpp>

namespace graft {

/// Options of the CPU backends.
struct CpuOptions {
  Precision precision = Precision::f32;
};

/// Every operation of a backend in host memory, on top of one product: `Derived` provides, for float and double,
///   void tile_gemm(Op a, Op b, Index m, Index n, Index k, T alpha, T const* a, Index lda, T const* b, Index ldb,
///                  T beta, T* c, Index ldc)
/// c (m, n) = alpha·op(a)·op(b) + beta·c on the calling thread alone, the same bits whoever calls it, beta = 0 not reading
/// c. If it has an overload for bf16 operands and float c, `bool multiplies_bf16()` says whether this machine can use it.
/// An object owns scratch memory and serves one caller at a time.
template <class Derived>
class CpuOperations : public HostMemoryOperations,
                      public detail::CpuGemm<Derived>,
                      public detail::CpuLinear<Derived>,
                      public detail::CpuElementwise<Derived>,
                      public detail::CpuDropout,
                      public detail::CpuNorm<Derived>,
                      public detail::CpuGated,
                      public detail::CpuRope,
                      public detail::CpuEmbedding,
                      public detail::CpuAttentionForward<Derived>,
                      public detail::CpuAttentionBackward<Derived>,
                      public detail::CpuAttentionCached<Derived>,
                      public detail::CpuSoftmaxPanel {
 public:
  CpuOperations() = default;
  explicit CpuOperations(CpuOptions options) : options_(options) {}

  [[nodiscard]] Precision precision() const { return options_.precision; }
  [[nodiscard]] detail::Workspace& workspace() { return workspace_; }

 private:
  CpuOptions options_;
  detail::Workspace workspace_;
};

}  // namespace graft
