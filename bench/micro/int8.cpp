// SPDX-License-Identifier: Apache-2.0
// Products with frozen weights in int8 beside f32's, in the shapes of SmolLM2-135M, and the parts they are made of. FLOPS is
// the rate of arithmetic. `of_f32` is that over the rate of float products measured here: what int8 gains. `roof` is
// the share of four times that rate, which VNNI has: 64 multiply-adds of bytes where an FMA has 16.
// With GRAFT_BENCH_SMOKE set there are few tokens, and the figures mean nothing.
#include <graft/backend/ceiling.hpp>
#include <graft/backend/eigen.hpp>
#ifdef GRAFT_WITH_ONEDNN
#include <graft/backend/onednn.hpp>
#endif

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace graft::bench {

#ifdef GRAFT_WITH_ONEDNN
using Float = OneDnn;
#else
using Float = EigenBackend;
#endif

inline Index tokens(Index n) { return std::getenv("GRAFT_BENCH_SMOKE") != nullptr ? 32 : n; }

inline std::vector<float> numbers(Index n) {
  std::vector<float> values(static_cast<std::size_t>(n));
  Rng rng(1);
  for (float& value : values) value = static_cast<float>(rng.uniform(-1, 1));
  return values;
}

inline void set_rate(benchmark::State& state, double flops) {
  static double const f32 = [] {
    Float backend;
    return 1e9 * static_cast<double>(measured_gemm_gflops(backend));
  }();
  using benchmark::Counter;
  state.counters["FLOPS"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["of_f32"] = Counter(flops / f32, Counter::kIsIterationInvariantRate);
  state.counters["roof"] = Counter(flops / f32 / 4, Counter::kIsIterationInvariantRate);
}

/// y = x·wᵀ or dx += dy·w, w in q4_1: tokens, out, in.
template <Precision precision, bool backward>
void linear(benchmark::State& state) {
  Float backend({.precision = precision});
  Index const n = tokens(state.range(0)), out = state.range(1), in = state.range(2);
  std::vector<std::byte> const weights(static_cast<std::size_t>(out * row_bytes(Storage::q4_1, in)), std::byte{0x12});
  StoredMatrix const w{Storage::q4_1, weights.data(), out, in};
  auto x = numbers(n * in), y = numbers(n * out);
  for (auto _ : state) {
    if constexpr (backward)
      backend.linear_backward_input(In<float>(y.data(), n, out), w, Out<float>(x.data(), n, in));
    else
      backend.linear_forward(In<float>(x.data(), n, in), w, Out<float>(y.data(), n, out));
  }
  set_rate(state, 2.0 * static_cast<double>(n * out * in));
}

/// The product alone, of packed operands.
inline void product(benchmark::State& state) {
  Index const n = tokens(state.range(0)), out = state.range(1), in = state.range(2), blocks = detail::int8_blocks(in);
  detail::Workspace workspace;
  auto const x = numbers(n * in), w = numbers(out * in);
  std::vector<float> y(static_cast<std::size_t>(n * out));
  std::vector<detail::Int8Block> strips(static_cast<std::size_t>(out / 16 * blocks));
  for (Index r = 0; r < out; r += 16) detail::pack_int8_rows(In<float>(w.data() + r * in, 16, in), strips.data() + r / 16 * blocks);
  detail::Scratch scratch = workspace.shared(detail::int8_rows_bytes(In<float>(x.data(), n, in)));
  auto const rows = detail::quantize_int8(In<float>(x.data(), n, in), scratch);
  for (auto _ : state) detail::int8_multiply(rows, 0, strips.data(), blocks, false, Out<float>(y.data(), n, out));
  set_rate(state, 2.0 * static_cast<double>(n * out * in));
}

/// Quantising activations: tokens, columns. The rate is in elements.
inline void quantize(benchmark::State& state) {
  Index const n = tokens(state.range(0)), cols = state.range(1);
  detail::Workspace workspace;
  auto const x = numbers(n * cols);
  for (auto _ : state) {
    detail::Scratch scratch = workspace.shared(detail::int8_rows_bytes(In<float>(x.data(), n, cols)));
    benchmark::DoNotOptimize(detail::quantize_int8(In<float>(x.data(), n, cols), scratch).q);
  }
  state.SetItemsProcessed(state.iterations() * n * cols);
}

/// Packing decoded weights, contraction along the row or down the column: one thread, in elements.
template <bool rows>
void pack(benchmark::State& state) {
  constexpr Index count = rows ? 16 : 32, cols = 1536;
  auto const w = numbers(count * cols);
  std::vector<detail::Int8Block> blocks(static_cast<std::size_t>(count * cols / 512));
  for (auto _ : state) {
    if constexpr (rows)
      detail::pack_int8_rows(In<float>(w.data(), count, cols), blocks.data());
    else
      detail::pack_int8_cols(In<float>(w.data(), count, cols), blocks.data(), 1);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * count * cols);
}

#define GRAFT_SHAPES \
  ->Args({2048, 1536, 576})->Args({2048, 576, 1536})->Args({2048, 576, 576})->Args({2048, 192, 576})->Args({512, 1536, 576})->UseRealTime()

BENCHMARK(linear<Precision::f32, false>) GRAFT_SHAPES;
BENCHMARK(linear<Precision::int8, false>) GRAFT_SHAPES;
BENCHMARK(linear<Precision::f32, true>) GRAFT_SHAPES;
BENCHMARK(linear<Precision::int8, true>) GRAFT_SHAPES;
BENCHMARK(product) GRAFT_SHAPES;
BENCHMARK(quantize)->Args({2048, 576})->Args({2048, 1536})->UseRealTime();
BENCHMARK(pack<true>);
BENCHMARK(pack<false>);

}  // namespace graft::bench

BENCHMARK_MAIN();
