// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/agreement/attention.hpp"
#include "support/agreement/head.hpp"
#include "support/agreement/products.hpp"
#include "support/agreement/rows.hpp"

namespace graft::test {

/// Every operation of the backend against `Reference`.
template <Scalar T, class B>
void everything_agrees(B& backend, Demands demands = {}) {
  gemm_agrees<T>(backend, demands);
  crowded_gemm_agrees<T>(backend, demands);
  linear_agrees<T>(backend, demands);
  large_linear_agrees<T>(backend, demands);
  elementwise_agrees<T>(backend, demands);
  norms_agree<T>(backend, demands);
  gated_agrees<T>(backend, demands);
  rope_agrees<T>(backend, demands);
  embedding_agrees<T>(backend, demands);
  attention_agrees<T>(backend, demands);
  cached_attention_agrees<T>(backend, demands);
  head_agrees<T>(backend, demands);
}

}  // namespace graft::test
