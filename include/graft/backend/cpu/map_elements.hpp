// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/simd.hpp>
#include <graft/core/parallel.hpp>

namespace graft::detail {

/// Elements that are worth a task of their own.
inline constexpr Index elements_per_task = 16384;

/// f(p[i]...) for i in [0, n), in parallel.
template <class F, class... P>
void map_elements(Index n, F f, P*... p) {
  parallel_blocks(n, elements_per_task, [&](Index begin, Index end) {
    GRAFT_SIMD
    for (Index i = begin; i < end; ++i) f(p[i]...);
  });
}

}  // namespace graft::detail
