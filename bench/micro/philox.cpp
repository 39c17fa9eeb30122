// SPDX-License-Identifier: Apache-2.0
// The counter-based generator against the standard library's sequential one, in 32-bit words per second.
#include <graft/core/rng.hpp>

#include <benchmark/benchmark.h>

#include <random>

namespace {

void BM_rng_philox(benchmark::State& state) {
  graft::Philox const philox{1, 2};
  std::uint64_t n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(philox.block(n++));
  state.SetItemsProcessed(4 * state.iterations());
}

void BM_rng_mt19937(benchmark::State& state) {
  std::mt19937 engine(1);
  for (auto _ : state) benchmark::DoNotOptimize(engine());
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

BENCHMARK(BM_rng_philox);
BENCHMARK(BM_rng_mt19937);
BENCHMARK_MAIN();
