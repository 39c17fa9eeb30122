// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

namespace graft {

/// The machine's matrix rate on this backend in GFLOP/s: the best of the float products that fit into about 100 ms, in a
/// shape that training has (2048 tokens, 576 → 1536). The ceiling that a progress line gives its share of.
template <Backend<float> B>
[[nodiscard]] float measured_gemm_gflops(B& backend) {
  using Clock = std::chrono::steady_clock;
  constexpr Index tokens = 2048, in = 576, out = 1536;
  std::vector<float> const host(static_cast<std::size_t>(tokens * in), 0.5f);
  auto const uploaded = [&](Index rows) {
    auto const bytes = static_cast<std::size_t>(rows * in) * sizeof(float);
    auto memory = backend.allocate(bytes);
    backend.upload(host.data(), memory.data(), bytes);
    return memory;
  };
  auto const x = uploaded(tokens), w = uploaded(out);
  auto const y = backend.allocate(static_cast<std::size_t>(tokens * out) * sizeof(float));
  auto best = Clock::duration::max();
  auto const begin = Clock::now();
  for (int run = 0; run < 3 || Clock::now() - begin < std::chrono::milliseconds(100); ++run) {
    auto const start = Clock::now();
    backend.gemm(Op::none, Op::transpose, 1.0f, In<float>(static_cast<float const*>(x.data()), tokens, in),
                 In<float>(static_cast<float const*>(w.data()), out, in), 0.0f,
                 Out<float>(static_cast<float*>(y.data()), tokens, out));
    backend.synchronize();
    if (run > 0) best = std::min(best, Clock::now() - start);  // the first run warms caches and scratch
  }
  double const seconds = std::chrono::duration<double>(best).count();
  return static_cast<float>(2e-9 * static_cast<double>(tokens * in * out) / seconds);
}

}  // namespace graft
