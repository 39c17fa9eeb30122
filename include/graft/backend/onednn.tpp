// SPDX-License-Identifier: Apache-2.0

#include <graft/backend/onednn.hpp>
#include <graft/core/error.hpp>
#include <graft/core/parallel.hpp>

#include <dnnl.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace graft::detail {

/// oneDNN starts no threads of its own while this lives: it asks OpenMP how many there are. Inside a parallel region it
/// starts none anyway.
class OneThread {
 public:
  OneThread() : before_(num_threads()) {
    if (before_ > 1) set_num_threads(1);
  }
  OneThread(OneThread const&) = delete;
  OneThread& operator=(OneThread const&) = delete;
  ~OneThread() {
    if (before_ > 1) set_num_threads(before_);
  }

 private:
  int before_;
};

inline void scale_tile(Index m, Index n, float beta, float* c, Index ldc) {
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < n; ++j) c[i * ldc + j] = beta == 0.0f ? 0.0f : beta * c[i * ldc + j];
}

GRAFT_INLINE void onednn_tile_gemm(Op op_a, Op op_b, Index m, Index n, Index k, float alpha, float const* a, Index lda,
                                   float const* b, Index ldb, float beta, float* c, Index ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) return scale_tile(m, n, beta, c, ldc);
  OneThread const one_thread;
  auto const status = dnnl_sgemm(op_a == Op::none ? 'N' : 'T', op_b == Op::none ? 'N' : 'T', m, n, k, alpha, a, lda, b, ldb,
                                 beta, c, ldc);
  require(status == dnnl_success, "onednn", "sgemm refused a product of ", m, "x", n, "x", k, " with status ",
          static_cast<int>(status));
}

/// A matmul primitive with the descriptions of what it reads and writes. A copy is a reference.
struct Matmul {
  dnnl::memory::desc a, b, c, scratchpad;
  dnnl::matmul primitive;
};

/// Primitives by everything that makes one: type, transposition, shape, strides, accumulation.
class MatmulCache {
 public:
  static MatmulCache& instance() {
    static MatmulCache cache;
    return cache;
  }

  Matmul get(dnnl::memory::data_type type, Op op_b, Index m, Index n, Index k, Index lda, Index ldb, Index ldc,
             bool accumulate) {
    Key const key{static_cast<Index>(type), op_b == Op::none ? 0 : 1, m, n, k, lda, ldb, ldc, accumulate ? 1 : 0};
    std::lock_guard const lock(mutex_);
    if (auto const found = matmuls_.find(key); found != matmuls_.end()) return found->second;
    if (matmuls_.size() >= most) matmuls_.clear();  // batches of ever new lengths
    using Description = dnnl::memory::desc;
    Description const a({m, k}, type, dnnl::memory::dims{lda, 1});
    Description const b({k, n}, type, op_b == Op::none ? dnnl::memory::dims{ldb, 1} : dnnl::memory::dims{1, ldb});
    Description const c({m, n}, dnnl::memory::data_type::f32, dnnl::memory::dims{ldc, 1});
    dnnl::primitive_attr attributes;
    // The library's own scratchpad belongs to the thread that made the primitive: threads that share one would overwrite it.
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    try {
#if DNNL_VERSION_MAJOR >= 3
      dnnl::matmul::primitive_desc const description(engine_, a, b, c, attributes);
#else
      dnnl::matmul::primitive_desc const description(dnnl::matmul::desc(a, b, c), attributes, engine_);
#endif
      return matmuls_.emplace(key, Matmul{a, b, c, description.scratchpad_desc(), dnnl::matmul(description)}).first->second;
    } catch (dnnl::error const& error) {
      fail("onednn", "no matmul primitive for ", m, "x", n, "x", k, ": ", error.what());
    }
  }
  [[nodiscard]] dnnl::engine const& engine() const { return engine_; }

 private:
  using Key = std::array<Index, 9>;
  static constexpr std::size_t most = 1024;

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  std::mutex mutex_;
  std::map<Key, Matmul> matmuls_;
};

template <class E>
void run_matmul(dnnl::memory::data_type type, Op op_b, Index m, Index n, Index k, E const* a, Index lda, E const* b, Index ldb,
                float beta, float* c, Index ldc) {
  if (m == 0 || n == 0) return;
  if (k == 0) return scale_tile(m, n, beta, c, ldc);
  OneThread const one_thread;
  MatmulCache& cache = MatmulCache::instance();
  Matmul const matmul = cache.get(type, op_b, m, n, k, lda, ldb, ldc, beta != 0.0f);
  thread_local dnnl::stream stream(cache.engine());
  thread_local std::vector<char> memory;
  constexpr std::size_t line = 64;
  memory.resize(std::max(memory.size(), matmul.scratchpad.get_size() + line));
  void* scratchpad = memory.data();
  std::size_t space = memory.size();
  std::align(line, matmul.scratchpad.get_size(), scratchpad, space);
  matmul.primitive.execute(stream, {{DNNL_ARG_SRC, dnnl::memory(matmul.a, cache.engine(), const_cast<E*>(a))},
                                    {DNNL_ARG_WEIGHTS, dnnl::memory(matmul.b, cache.engine(), const_cast<E*>(b))},
                                    {DNNL_ARG_DST, dnnl::memory(matmul.c, cache.engine(), c)},
                                    {DNNL_ARG_SCRATCHPAD, dnnl::memory(matmul.scratchpad, cache.engine(), scratchpad)}});
  stream.wait();
}

GRAFT_INLINE void onednn_matmul(Op op_b, Index m, Index n, Index k, bf16 const* a, Index lda, bf16 const* b, Index ldb,
                                float beta, float* c, Index ldc) {
  run_matmul(dnnl::memory::data_type::bf16, op_b, m, n, k, a, lda, b, ldb, beta, c, ldc);
}
GRAFT_INLINE void onednn_matmul(Op op_b, Index m, Index n, Index k, float const* a, Index lda, float const* b, Index ldb,
                                float beta, float* c, Index ldc) {
  run_matmul(dnnl::memory::data_type::f32, op_b, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

GRAFT_INLINE bool onednn_multiplies_bf16() {
  auto const needed = static_cast<unsigned>(dnnl_cpu_isa_avx512_core_bf16);
  return (static_cast<unsigned>(dnnl_get_effective_cpu_isa()) & needed) == needed;
}

}  // namespace graft::detail
