// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/elementwise.hpp>
#include <graft/backend/cpu/exp.hpp>

namespace graft::detail {

/// An activation is x·σ(u(x)): u = x for SiLU, u = 2·√(2/π)·(x + 0.044715·x³) for the tanh form of GELU, because
/// (1 + tanh u)/2 = σ(2u). Its slope is σ + x·σ·(1 - σ)·u'(x).
template <Activation activation, class T>
struct GateFunction {
  T value;
  T slope;

  explicit GateFunction(T x) {
    if constexpr (activation == Activation::silu) {
      T const sigmoid = T{1} / (T{1} + fast_exp(-x));
      value = x * sigmoid;
      slope = sigmoid * (T{1} + x * (T{1} - sigmoid));
    } else {
      constexpr T k = static_cast<T>(1.5957691216057308), cubic = static_cast<T>(0.044715);  // k = 2·sqrt(2/pi)
      T const sigmoid = T{1} / (T{1} + fast_exp(-k * (x + cubic * x * x * x)));
      value = x * sigmoid;
      slope = sigmoid + value * (T{1} - sigmoid) * k * (T{1} + 3 * cubic * x * x);
    }
  }
};

/// h = act(gate)·up and its gradients; without up, h = act(gate).
struct CpuGated {
  template <Scalar T>
  void gated_forward(Activation activation, InArg<T> gate, InArg<T> up, Out<T> h) {
    if (activation == Activation::silu)
      forward<Activation::silu>(gate, up, h);
    else
      forward<Activation::gelu_tanh>(gate, up, h);
  }

  template <Scalar T>
  void gated_backward(Activation activation, InArg<T> gate, InArg<T> up, InArg<T> dh, Out<T> dgate,
                      std::type_identity_t<Out<T>> dup) {
    if (activation == Activation::silu)
      backward<Activation::silu>(gate, up, dh, dgate, dup);
    else
      backward<Activation::gelu_tanh>(gate, up, dh, dgate, dup);
  }

 private:
  template <Activation activation, class T>
  static void forward(In<T> gate, In<T> up, Out<T> h) {
    assert(gate.rows == h.rows && gate.cols == h.cols && (up.empty() || (up.rows == h.rows && up.cols == h.cols)));
    if (up.empty()) return forward_alone<activation>(gate, h);
    parallel_row_blocks(h.rows, h.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T const *const g = gate.row(t), *const u = up.row(t);
        T* const out = h.row(t);
        GRAFT_SIMD
        for (Index c = 0; c < h.cols; ++c) out[c] = GateFunction<activation, T>(g[c]).value * u[c];
      }
    });
  }

  template <Activation activation, class T>
  static void backward(In<T> gate, In<T> up, In<T> dh, Out<T> dgate, Out<T> dup) {
    assert(gate.rows == dh.rows && gate.cols == dh.cols && dgate.rows == dh.rows && dup.rows == up.rows);
    if (up.empty()) return backward_alone<activation>(gate, dh, dgate);
    parallel_row_blocks(dh.rows, dh.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T const *const g = gate.row(t), *const u = up.row(t), *const d = dh.row(t);
        T *const out_gate = dgate.row(t), *const out_up = dup.row(t);
        GRAFT_SIMD
        for (Index c = 0; c < dh.cols; ++c) {
          GateFunction<activation, T> const act(g[c]);
          T const slope = d[c];
          T const through_up = slope * u[c];
          out_gate[c] = through_up * act.slope;
          out_up[c] = slope * act.value;
        }
      }
    });
  }

  template <Activation activation, class T>
  static void forward_alone(In<T> gate, Out<T> h) {
    parallel_row_blocks(h.rows, h.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T const* const g = gate.row(t);
        T* const out = h.row(t);
        GRAFT_SIMD
        for (Index c = 0; c < h.cols; ++c) out[c] = GateFunction<activation, T>(g[c]).value;
      }
    });
  }

  template <Activation activation, class T>
  static void backward_alone(In<T> gate, In<T> dh, Out<T> dgate) {
    parallel_row_blocks(dh.rows, dh.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T const *const g = gate.row(t), *const d = dh.row(t);
        T* const out = dgate.row(t);
        GRAFT_SIMD
        for (Index c = 0; c < dh.cols; ++c) out[c] = d[c] * GateFunction<activation, T>(g[c]).slope;
      }
    });
  }
};

}  // namespace graft::detail
