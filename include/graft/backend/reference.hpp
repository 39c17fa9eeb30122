// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/backend/host_memory.hpp>
#include <graft/backend/reference/attention.hpp>
#include <graft/backend/reference/head.hpp>
#include <graft/backend/reference/products.hpp>
#include <graft/backend/reference/rows.hpp>

namespace graft {

/// The oracle that every other backend is tested against: each operation directly from its formula, one thread, plain
/// loops, sums in double. Orders of magnitude slower than `EigenBackend`; for tests and tiny models.
class Reference : public HostMemoryOperations,
                  public detail::ReferenceProducts,
                  public detail::ReferenceRows,
                  public detail::ReferenceAttention,
                  public detail::ReferenceHead {
 public:
  static constexpr char const* name() { return "reference"; }
};

static_assert(Backend<Reference, float> && Backend<Reference, double>);

}  // namespace graft
