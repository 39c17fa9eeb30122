// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/backend_agreement.hpp"
#include "support/stored_weights.hpp"

namespace graft::test {

template <Scalar T, class B>
void gemm_agrees(B& backend, Demands demands = {}) {
  Rng rng(1);
  struct Shape {
    Index m, n, k;
  };
  for (Shape const s : {Shape{1, 7, 3}, Shape{7, 1, 3}, Shape{0, 5, 3}, Shape{5, 0, 3}, Shape{4, 4, 0}, Shape{1, 1, 1},
                        Shape{17, 33, 65}, Shape{300, 100, 40}, Shape{1, 300, 70}, Shape{130, 1, 20}, Shape{70, 900, 9},
                        Shape{1100, 20, 16}, Shape{16, 96, 600}})
    for (Op const op_a : {Op::none, Op::transpose})
      for (Op const op_b : {Op::none, Op::transpose})
        for (double const beta : {0.0, 1.0, 0.5}) {
          Case<T> data;
          data.matrices = {op_a == Op::none ? HostMatrix<T>::random(s.m, s.k, rng, 1, 3) : HostMatrix<T>::random(s.k, s.m, rng, 1, 1),
                           op_b == Op::none ? HostMatrix<T>::random(s.k, s.n, rng, 1, 2) : HostMatrix<T>::random(s.n, s.k, rng, 1, 5),
                           HostMatrix<T>::random(s.m, s.n, rng, 1, 4)};
          if (beta == 0) data.matrices[2] = HostMatrix<T>::filled(s.m, s.n, std::numeric_limits<T>::quiet_NaN(), 4);
          std::string const what = "gemm " + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) +
                                   (op_a == Op::none ? " n" : " t") + (op_b == Op::none ? "n" : "t");
          agree<T>(backend, what, data, demands, [&](auto& b, Arguments<T> const& a) {
            b.gemm(op_a, op_b, static_cast<T>(0.7), a.m[0], a.m[1], static_cast<T>(beta), a.m[2]);
          });
        }
}

/// Operands whose rows lie multiples of 1 KiB apart, and enough work that a backend may rearrange them.
template <Scalar T, class B>
void crowded_gemm_agrees(B& backend, Demands demands = {}) {
  Rng rng(14);
  for (Index const depth : {128, 300})
    for (Op const op_a : {Op::none, Op::transpose})
      for (Op const op_b : {Op::none, Op::transpose}) {
        Index const m = 256, n = 512, gap = 512 - depth;
        Case<T> data;
        data.matrices = {op_a == Op::none ? HostMatrix<T>::random(m, depth, rng, 1, gap) : HostMatrix<T>::random(depth, m, rng),
                         op_b == Op::none ? HostMatrix<T>::random(depth, n, rng) : HostMatrix<T>::random(n, depth, rng, 1, gap),
                         HostMatrix<T>::random(m, n, rng)};
        agree<T>(backend, "gemm of crowded rows", data, demands, [&](auto& b, Arguments<T> const& a) {
          b.gemm(op_a, op_b, static_cast<T>(-0.3), a.m[0], a.m[1], static_cast<T>(0.5), a.m[2]);
        });
      }
}

/// Every storage, forward and backward, from no token to several tiles of tokens.
template <Scalar T, class B>
void linear_agrees(B& backend, Demands demands = {}) {
  Rng rng(2);
  for (Storage const storage : all_storages)
    for (Index const tokens : {0, 1, 5, 16, 17, 70})
      for (Index const out : {1, 31, 130}) {
        Index const in = tokens == 70 ? 512 : 256;
        Case<T> data;
        data.storage = storage;
        data.weight_rows = out;
        data.weight_cols = in;
        data.weights = stored_weights(storage, out, in, rng);
        std::string const what = std::string(name(storage)) + " tokens " + std::to_string(tokens) + " out " + std::to_string(out);
        data.matrices = {HostMatrix<T>::random(tokens, in, rng, 1, 3), HostMatrix<T>::filled(tokens, out, std::numeric_limits<T>::quiet_NaN(), 1)};
        agree<T>(backend, "linear_forward " + what, data, demands,
                 [](auto& b, Arguments<T> const& a) { b.linear_forward(a.m[0], a.weight, a.m[1]); });
        data.matrices = {HostMatrix<T>::random(tokens, out, rng, 1, 2), HostMatrix<T>::random(tokens, in, rng)};
        agree<T>(backend, "linear_backward_input " + what, data, demands,
                 [](auto& b, Arguments<T> const& a) { b.linear_backward_input(a.m[0], a.weight, a.m[1]); });
      }
}

/// A weight of several panels, and plain weights at an odd address.
template <Scalar T, class B>
void large_linear_agrees(B& backend, Demands demands = {}) {
  Rng rng(3);
  Index const out = 1100, in = 1024, tokens = 20;
  Case<T> data;
  data.storage = Storage::q4_1;
  data.weight_rows = out;
  data.weight_cols = in;
  data.weights = stored_weights(data.storage, out, in, rng);
  data.matrices = {HostMatrix<T>::random(tokens, in, rng), HostMatrix<T>::filled(tokens, out, T{0})};
  agree<T>(backend, "linear_forward, several panels", data, demands,
           [](auto& b, Arguments<T> const& a) { b.linear_forward(a.m[0], a.weight, a.m[1]); });
  data.matrices = {HostMatrix<T>::random(tokens, out, rng), HostMatrix<T>::random(tokens, in, rng)};
  agree<T>(backend, "linear_backward_input, several panels", data, demands,
           [](auto& b, Arguments<T> const& a) { b.linear_backward_input(a.m[0], a.weight, a.m[1]); });

  data.storage = std::is_same_v<T, float> ? Storage::f32 : Storage::f64;
  data.weights = stored_weights(data.storage, 40, 33, rng);
  data.weights.insert(data.weights.begin(), std::byte{0});
  data.matrices = {HostMatrix<T>::random(tokens, 33, rng), HostMatrix<T>::filled(tokens, 40, T{0})};
  agree<T>(backend, "linear_forward, unaligned", data, demands, [](auto& b, Arguments<T> const& a) {
    b.linear_forward(a.m[0], StoredMatrix{a.weight.storage, a.weight.data + 1, 40, 33}, a.m[1]);
  });
}

}  // namespace graft::test
