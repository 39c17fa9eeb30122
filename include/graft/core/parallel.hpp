// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace graft {

/// Threads that `parallel_for` uses. graft shares OpenMP's pool with Eigen and oneDNN; without OpenMP it is 1.
[[nodiscard]] inline int num_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// Sets the number of threads for the calling thread's later parallel regions; n ≥ 1.
inline void set_num_threads([[maybe_unused]] int n) {
#ifdef _OPENMP
  omp_set_num_threads(std::max(n, 1));
#endif
}

/// Calls f(i) for i in [0, n), each exactly once, on all threads; returns when all are done. `f` must not throw.
/// Every caller splits its work by shape, never by the number of threads, and no two calls add into one place:
/// so results do not depend on the number of threads.
template <class F>
void parallel_for(Index n, F&& f) {
#ifdef _OPENMP
  if (n > 1 && !omp_in_parallel() && omp_get_max_threads() > 1) {
#pragma omp parallel for schedule(dynamic, 1)
    for (Index i = 0; i < n; ++i) f(i);
    return;
  }
#endif
  for (Index i = 0; i < n; ++i) f(i);
}

/// Calls f(begin, end) for the blocks of `block` items that cover [0, n).
template <class F>
void parallel_blocks(Index n, Index block, F&& f) {
  parallel_for((n + block - 1) / block, [&](Index i) { f(i * block, std::min(n, (i + 1) * block)); });
}

}  // namespace graft
