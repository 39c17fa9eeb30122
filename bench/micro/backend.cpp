// SPDX-License-Identifier: Apache-2.0
// Operations of the CPU backends in the shapes of SmolLM2-135M on 2048 tokens. FLOPS and bytes_per_second are rates of
// arithmetic and of memory that must be read and written; `roof` is the share of the machine's own roofline: the larger of
// FLOPS over the measured product rate and bytes_per_second over the measured bandwidth. Above 1: the data is in a cache.
// With GRAFT_BENCH_SMOKE set, shapes are small and the figures mean nothing: CTest only sees that everything runs.
#include <graft/backend/ceiling.hpp>
#include <graft/backend/eigen.hpp>
#ifdef GRAFT_WITH_ONEDNN
#include <graft/backend/onednn.hpp>
#endif

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace graft::bench {

inline std::vector<float> numbers(Index n, double scale = 1) {
  std::vector<float> values(static_cast<std::size_t>(n));
  Rng rng(1);
  for (float& value : values) value = static_cast<float>(scale * rng.uniform(-1, 1));
  return values;
}

struct Matrix {
  std::vector<float> values;
  Index rows, cols;
  Matrix(Index rows_, Index cols_, double scale = 1) : values(numbers(rows_ * cols_, scale)), rows(rows_), cols(cols_) {}
  operator Out<float>() { return {values.data(), rows, cols}; }
  operator In<float>() const { return {values.data(), rows, cols}; }
};

inline bool smoke() {
  static bool const answer = std::getenv("GRAFT_BENCH_SMOKE") != nullptr;
  return answer;
}
/// A number of tokens or of vocabulary words, or few of them in a smoke run.
inline Index scaled(Index n) { return smoke() && n > 64 ? std::max<Index>(n / 32, 16) : n; }

/// Products in FLOP/s on this backend, measured once.
template <class B>
double product_ceiling() {
  static double const rate = [] {
    B backend;
    return 1e9 * static_cast<double>(measured_gemm_gflops(backend));
  }();
  return rate;
}

/// Bytes/s of y = x on all threads, read and written, over arrays that no cache holds; measured once.
inline double bandwidth() {
  static double const rate = [] {
    Index const rows = smoke() ? 64 : 16384, cols = 2048;
    Matrix x(rows, cols), y(rows, cols);
    EigenBackend backend;
    double best = 0;
    for (int run = 0; run < 5; ++run) {
      auto const start = std::chrono::steady_clock::now();
      backend.copy(x, Out<float>(y));
      double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      best = std::max(best, 8.0 * static_cast<double>(rows * cols) / seconds);
    }
    return best;
  }();
  return rate;
}

/// Counters of an operation with this much arithmetic and this many bytes to move. Rates by iteration.
template <class B>
void set_cost(benchmark::State& state, double flops, double bytes) {
  using benchmark::Counter;
  if (flops > 0) state.counters["FLOPS"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(static_cast<std::int64_t>(static_cast<double>(state.iterations()) * bytes));
  double const at_best = std::max(flops > 0 ? flops / product_ceiling<B>() : 0.0, bytes / bandwidth());
  state.counters["roof"] = Counter(at_best, Counter::kIsIterationInvariantRate);
}
inline double floats(Index n) { return 4.0 * static_cast<double>(n); }
inline void set_bytes(benchmark::State& state, Index n) { set_cost<EigenBackend>(state, 0, floats(n)); }

template <class B>
void ceiling(benchmark::State& state) {
  B backend;
  float best = 0;
  for (auto _ : state) best = std::max(best, measured_gemm_gflops(backend));
  state.counters["FLOPS"] = 1e9 * static_cast<double>(best);
  state.counters["bandwidth"] = bandwidth();
}

/// c (m, n) = a·bᵀ, what a forward product with plain weights is.
template <class B>
void gemm(benchmark::State& state) {
  B backend;
  Index const m = scaled(state.range(0)), n = state.range(1), k = state.range(2);
  Matrix a(m, k), b(n, k), c(m, n);
  for (auto _ : state) backend.gemm(Op::none, Op::transpose, 1, a, b, 0, Out<float>(c));
  set_cost<B>(state, 2.0 * static_cast<double>(m * n * k), floats(m * k + n * k + m * n));
}

/// c (m, n) += aᵀ·b over all tokens, what a weight gradient is.
template <class B>
void gemm_gradient(benchmark::State& state) {
  B backend;
  Index const m = state.range(0), n = state.range(1), k = scaled(state.range(2));
  Matrix a(k, m), b(k, n), c(m, n);
  for (auto _ : state) backend.gemm(Op::transpose, Op::none, 1, a, b, 1, Out<float>(c));
  set_cost<B>(state, 2.0 * static_cast<double>(m * n * k), floats(k * m + k * n + 2 * m * n));
}

/// A product with a quantized weight: storage, tokens, out, in.
template <class B, bool backward>
void linear(benchmark::State& state) {
  B backend;
  auto const storage = static_cast<Storage>(state.range(0));
  Index const tokens = scaled(state.range(1)), out = scaled(state.range(2)), in = state.range(3);
  std::vector<std::byte> const weights(static_cast<std::size_t>(out * row_bytes(storage, in)), std::byte{0x12});
  StoredMatrix const w{storage, weights.data(), out, in};
  Matrix x(tokens, in), y(tokens, out);
  for (auto _ : state) {
    if constexpr (backward)
      backend.linear_backward_input(y, w, Out<float>(x));
    else
      backend.linear_forward(x, w, Out<float>(y));
  }
  set_cost<B>(state, 2.0 * static_cast<double>(tokens * out * in),
              floats(tokens * (in + out)) + static_cast<double>(out * row_bytes(storage, in)));
}

/// The two products that LoRA adds to a linear module's forward: u = x·Aᵀ, y += s·u·Bᵀ. Tokens, out, in, rank.
template <class B>
void adapter_pair(benchmark::State& state) {
  B backend;
  Index const tokens = scaled(state.range(0)), out = state.range(1), in = state.range(2), rank = state.range(3);
  Matrix x(tokens, in), a(rank, in), b(out, rank), u(tokens, rank), y(tokens, out);
  for (auto _ : state) {
    backend.gemm(Op::none, Op::transpose, 1, x, a, 0, Out<float>(u));
    backend.gemm(Op::none, Op::transpose, 1e-3f, u, b, 1, Out<float>(y));
  }
  set_cost<B>(state, 2.0 * static_cast<double>(tokens * rank * (in + out)),
              floats(tokens * (in + 2 * rank + 2 * out) + rank * (in + out)));
}

/// Causal attention, 9 query heads on 3 key/value heads of 64: number of sequences, length.
template <class B, bool backward>
void attention(benchmark::State& state) {
  B backend;
  Index const sequences = state.range(0), length = scaled(state.range(1)), tokens = sequences * length;
  AttentionShape const shape{9, 3, 64, 0.125, 0};
  std::vector<std::int32_t> cu;
  for (Index s = 0; s <= sequences; ++s) cu.push_back(static_cast<std::int32_t>(s * length));
  Matrix q(tokens, 576), k(tokens, 192), v(tokens, 192), o(tokens, 576), lse(tokens, 9), d_o(tokens, 576);
  Matrix dq(tokens, 576), dk(tokens, 192), dv(tokens, 192);
  backend.attention_forward(q, k, v, shape, cu, Out<float>(o), lse);
  for (auto _ : state) {
    if constexpr (backward)
      backend.attention_backward(q, k, v, o, lse, d_o, shape, cu, Out<float>(dq), dk, dv);
    else
      backend.attention_forward(q, k, v, shape, cu, Out<float>(o), lse);
  }
  double const pairs = static_cast<double>(sequences * length) * static_cast<double>(length + 1) / 2 * 9;
  set_cost<B>(state, pairs * 64 * 2 * (backward ? 5 : 2), floats(tokens * (backward ? 3 * 576 + 4 * 192 + 576 : 2 * 576 + 2 * 192)));
}

/// One new token of each sequence over its cache: number of sequences, cached tokens. Bytes are those of the cache.
template <class B>
void attention_cached(benchmark::State& state) {
  B backend;
  Index const sequences = state.range(0), length = scaled(state.range(1));
  AttentionShape const shape{9, 3, 64, 0.125, 0};
  Matrix q(sequences, 576), o(sequences, 576), k(sequences * length, 192), v(sequences * length, 192);
  std::vector<CachedSequence<float>> cached;
  for (Index s = 0; s < sequences; ++s)
    cached.push_back({s, 1, length, k.values.data() + s * length * 192, v.values.data() + s * length * 192});
  for (auto _ : state)
    backend.attention_cached(q, shape, std::span<CachedSequence<float> const>(cached), Out<float>(o));
  set_cost<B>(state, 4.0 * 576 * static_cast<double>(sequences * length), floats(sequences * length * 192 * 2));
}

inline void rms_norm_forward(benchmark::State& state) {
  EigenBackend backend;
  Index const tokens = scaled(2048);
  Matrix x(tokens, 576), gain(1, 576), y(tokens, 576);
  for (auto _ : state) backend.rms_norm_forward(x, gain, 1e-5f, Out<float>(y));
  set_bytes(state, 2 * tokens * 576);
}
inline void rms_norm_backward(benchmark::State& state) {
  EigenBackend backend;
  Index const tokens = scaled(2048);
  Matrix x(tokens, 576), gain(1, 576), dy(tokens, 576), dx(tokens, 576), dgain(1, 576);
  bool const trained = state.range(0) != 0;
  for (auto _ : state)
    backend.rms_norm_backward(x, gain, 1e-5f, dy, Out<float>(dx), trained ? Out<float>(dgain) : Out<float>());
  set_bytes(state, 4 * tokens * 576);
}
inline void gated_forward(benchmark::State& state) {
  EigenBackend backend;
  Index const tokens = scaled(2048);
  Matrix gate(tokens, 1536, 5), up(tokens, 1536), h(tokens, 1536);
  for (auto _ : state) backend.gated_forward(static_cast<Activation>(state.range(0)), gate, up, Out<float>(h));
  set_bytes(state, 3 * tokens * 1536);
}
inline void gated_backward(benchmark::State& state) {
  EigenBackend backend;
  Index const tokens = scaled(2048);
  Matrix gate(tokens, 1536, 5), up(tokens, 1536), dh(tokens, 1536), dgate(tokens, 1536), dup(tokens, 1536);
  for (auto _ : state)
    backend.gated_backward(static_cast<Activation>(state.range(0)), gate, up, dh, Out<float>(dgate), dup);
  set_bytes(state, 5 * tokens * 1536);
}
inline void rope(benchmark::State& state) {
  EigenBackend backend;
  Index const tokens = scaled(2048);
  Matrix x(tokens, 576), cos(tokens, 32), sin(tokens, 32);
  for (auto _ : state) backend.rope(Out<float>(x), 9, cos, sin, false);
  set_bytes(state, 2 * tokens * 576);
}
inline void dropout(benchmark::State& state) {
  EigenBackend backend;
  Index const tokens = scaled(2048);
  Matrix x(tokens, 576), y(tokens, 576);
  for (auto _ : state) backend.dropout(x, 0.1f, Philox{1, 2}, false, Out<float>(y));
  set_bytes(state, 2 * tokens * 576);
}
inline void adam_like_map(benchmark::State& state) {
  EigenBackend backend;
  Index const tokens = scaled(2048);
  Matrix w(tokens, 576), g(tokens, 576), m(tokens, 576), v(tokens, 576, 0.0);
  auto const step = [](float& weight, float& gradient, float& first, float& second) {
    first += 0.1f * (gradient - first);
    second += 0.001f * (gradient * gradient - second);
    weight -= 1e-4f * first / (std::sqrt(second) + 1e-8f);
  };
  for (auto _ : state) backend.map(tokens * 576, step, w.values.data(), g.values.data(), m.values.data(), v.values.data());
  set_bytes(state, 7 * tokens * 576);
}
/// 512 supervised tokens by 4096 words.
inline void softmax_panel(benchmark::State& state) {
  EigenBackend backend;
  Index const words = scaled(4096);
  Matrix panel(512, words, 8), statistics(6, 512);
  std::vector<std::int32_t> const targets(512, 17);
  Out<float> const s = statistics;
  SoftmaxState<float> const at{s.row(0), s.row(1), s.row(2), s.row(3), s.row(4), s.row(5), 512};
  for (auto _ : state) backend.softmax_panel(Out<float>(panel), targets.data(), 0, at);
  set_bytes(state, 2 * 512 * words);
}
inline void softmax_panel_weighted(benchmark::State& state) {
  EigenBackend backend;
  Index const words = scaled(4096);
  Matrix panel(512, words), weighted(512, words), statistics(6, 512);
  for (float& value : panel.values) value = std::abs(value);
  Out<float> const s = statistics;
  SoftmaxState<float> const at{s.row(0), s.row(1), s.row(2), s.row(3), s.row(4), s.row(5), 512};
  for (auto _ : state) backend.softmax_panel_weighted(panel, at, Out<float>(weighted));
  set_bytes(state, 2 * 512 * words);
}

inline constexpr auto q4_1 = static_cast<std::int64_t>(Storage::q4_1), q8_0 = static_cast<std::int64_t>(Storage::q8_0);

#define GRAFT_BENCH(B)                                                                                                  \
  BENCHMARK(ceiling<B>)->Iterations(smoke() ? 1 : 3)->UseRealTime();                                                                  \
  BENCHMARK(gemm<B>)->Args({2048, 576, 576})->Args({2048, 1536, 576})->Args({2048, 576, 1536})->Args({2048, 192, 576})  \
      ->Args({512, 4096, 576})->Args({2048, 16, 576})->Args({2048, 576, 16})->Args({8, 1536, 576})->UseRealTime();      \
  BENCHMARK(gemm_gradient<B>)->Args({16, 576, 2048})->Args({1536, 16, 2048})->Args({1536, 576, 2048})->UseRealTime();   \
  BENCHMARK(linear<B, false>)->Args({q4_1, 2048, 576, 576})->Args({q4_1, 2048, 1536, 576})                              \
      ->Args({q4_1, 2048, 576, 1536})->Args({q8_0, 512, 4096, 576})->Args({q4_1, 1, 1536, 576})                         \
      ->Args({q4_1, 8, 1536, 576})->Args({q4_1, 64, 1536, 576})->UseRealTime();                                         \
  BENCHMARK(linear<B, true>)->Args({q4_1, 2048, 576, 576})->Args({q4_1, 2048, 1536, 576})                               \
      ->Args({q4_1, 2048, 576, 1536})->Args({q8_0, 512, 4096, 576})->UseRealTime();                                     \
  BENCHMARK(adapter_pair<B>)->Args({2048, 576, 576, 16})->Args({2048, 1536, 576, 16})->Args({2048, 576, 1536, 16})        \
      ->Args({2048, 576, 576, 64})->UseRealTime();                                                                      \
  BENCHMARK(attention<B, false>)->Args({4, 512})->Args({1, 2048})->Args({64, 32})->UseRealTime();                       \
  BENCHMARK(attention<B, true>)->Args({4, 512})->Args({1, 2048})->Args({64, 32})->UseRealTime();                        \
  BENCHMARK(attention_cached<B>)->Args({1, 1024})->Args({8, 1024})->UseRealTime()

GRAFT_BENCH(EigenBackend);
#ifdef GRAFT_WITH_ONEDNN
GRAFT_BENCH(OneDnn);
#endif
BENCHMARK(rms_norm_forward)->UseRealTime();
BENCHMARK(rms_norm_backward)->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(gated_forward)->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(gated_backward)->Arg(0)->Arg(1)->UseRealTime();
BENCHMARK(rope)->UseRealTime();
BENCHMARK(dropout)->UseRealTime();
BENCHMARK(adam_like_map)->UseRealTime();
BENCHMARK(softmax_panel)->UseRealTime();
BENCHMARK(softmax_panel_weighted)->UseRealTime();

}  // namespace graft::bench

BENCHMARK_MAIN();
