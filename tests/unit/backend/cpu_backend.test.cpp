// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cpu_backend.hpp>

#include "support/agreement/all.hpp"

#include <graft/core/error.hpp>

namespace graft::test {

TEST_CASE("cpu backend: every operation agrees with the reference, for each kind of product") {
  CpuBackend eigen(Products::eigen);
  everything_agrees<float>(eigen);
#ifdef GRAFT_WITH_ONEDNN
  CpuBackend onednn(Products::onednn);
  everything_agrees<float>(onednn);
#endif
}

TEST_CASE("cpu backend: names choose products and precision") {
  CHECK(CpuBackend::named("eigen", "f32").description() == "eigen, f32");
  CHECK(CpuBackend::named("eigen", "bf16").description() == "eigen, bf16");
  CHECK(CpuBackend::named("eigen", "int8").description() == "eigen, int8");
  for (auto const precision : {Precision::f32, Precision::bf16, Precision::int8})
    CHECK(CpuBackend::named("eigen", name(precision)).precision() == precision);
  CHECK_THROWS_WITH_AS(CpuBackend::named("tpu", "f32"), doctest::Contains("must be auto, eigen, onednn or cuda: got tpu"), Error);
#ifndef GRAFT_WITH_CUDA
  CHECK_THROWS_WITH_AS(CpuBackend::named("cuda", "f32"), doctest::Contains("built without it (NVIDIA's toolkit"), Error);
#endif
  CHECK_THROWS_WITH_AS(CpuBackend::named("auto", "f16"), doctest::Contains("must be auto, f32, bf16 or int8: got f16"), Error);
}

}  // namespace graft::test
