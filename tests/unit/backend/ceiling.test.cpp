// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/ceiling.hpp>

#include <graft/backend/eigen.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>

namespace graft::test {

TEST_CASE("ceiling: the measured rate is a plausible number and is there soon") {
  EigenBackend backend;
  auto const start = std::chrono::steady_clock::now();
  float const rate = measured_gemm_gflops(backend);
  CHECK(std::isfinite(rate));
  CHECK(rate > 0.05f);
  CHECK(rate < 1e6f);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(60));
}

}  // namespace graft::test
