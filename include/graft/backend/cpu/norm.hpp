// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/cpu/elementwise.hpp>

#include <cmath>

namespace graft::detail {

/// What normalises a row: x̂ = (x - mean)·rho.
template <class T>
struct RowMoments {
  T mean;
  T rho;
};

/// RMS norm has no mean: rho = 1 / sqrt(mean(x²) + eps).
template <class T>
RowMoments<T> rms_moments(T const* x, Index n, T eps) {
  T sum = 0;
  GRAFT_SIMD_SUM(sum)
  for (Index c = 0; c < n; ++c) sum += x[c] * x[c];
  return {T{0}, T{1} / std::sqrt(sum / static_cast<T>(n) + eps)};
}

template <class T>
RowMoments<T> layer_moments(T const* x, Index n, T eps) {
  T sum = 0;
  GRAFT_SIMD_SUM(sum)
  for (Index c = 0; c < n; ++c) sum += x[c];
  T const mean = sum / static_cast<T>(n);
  T squares = 0;
  GRAFT_SIMD_SUM(squares)
  for (Index c = 0; c < n; ++c) squares += (x[c] - mean) * (x[c] - mean);
  return {mean, T{1} / std::sqrt(squares / static_cast<T>(n) + eps)};
}

/// Root-mean-square and layer normalisation, row by row.
/// Backward: with w = gain·dy, dx += rho·(w - mean(w) - x̂·mean(w·x̂)), without mean(w) for RMS; dgain += Σ_t dy·x̂.
template <class Derived>
struct CpuNorm {
  template <Scalar T>
  void rms_norm_forward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, Out<T> y) {
    assert(x.rows == y.rows && x.cols == y.cols && gain.size() == x.cols);
    parallel_row_blocks(y.rows, y.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        T const rho = rms_moments(x.row(t), x.cols, eps).rho;
        T const* const in = x.row(t);
        T* const out = y.row(t);
        GRAFT_SIMD
        for (Index c = 0; c < x.cols; ++c) out[c] = in[c] * rho * gain.data[c];
      }
    });
  }

  template <Scalar T>
  void layer_norm_forward(InArg<T> x, InArg<T> gain, InArg<T> bias, ValueArg<T> eps, Out<T> y) {
    assert(x.rows == y.rows && x.cols == y.cols && gain.size() == x.cols && bias.size() == x.cols);
    parallel_row_blocks(y.rows, y.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        auto const [mean, rho] = layer_moments(x.row(t), x.cols, eps);
        normalise(x.row(t), x.cols, mean, rho, gain.data, bias.data, y.row(t));
      }
    });
  }

  template <Scalar T>
  void rms_norm_backward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, InArg<T> dy, Out<T> dx,
                         std::type_identity_t<Out<T>> dgain) {
    backward<false>(x, gain, eps, dy, dx, dgain, Out<T>());
  }

  template <Scalar T>
  void layer_norm_backward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, InArg<T> dy, Out<T> dx,
                           std::type_identity_t<Out<T>> dgain, std::type_identity_t<Out<T>> dbias) {
    backward<true>(x, gain, eps, dy, dx, dgain, dbias);
  }

 private:
  template <class T>
  static void normalise(T const* x, Index n, T mean, T rho, T const* gain, T const* bias, T* y) {
    GRAFT_SIMD
    for (Index c = 0; c < n; ++c) y[c] = (x[c] - mean) * rho * gain[c] + bias[c];
  }

  template <bool centred, class T>
  static void backward_row(T const* x, T const* gain, T const* dy, Index n, RowMoments<T> moments, T* dx) {
    T const mean = moments.mean, rho = moments.rho;
    T sum = 0, product = 0;
    GRAFT_SIMD_SUM(sum, product)
    for (Index c = 0; c < n; ++c) {
      T const w = gain[c] * dy[c];
      sum += w;
      product += w * (x[c] - mean);
    }
    T const mean_w = centred ? sum / static_cast<T>(n) : T{0};
    T const mean_product = product * rho / static_cast<T>(n);
    GRAFT_SIMD
    for (Index c = 0; c < n; ++c) dx[c] += rho * (gain[c] * dy[c] - mean_w - (x[c] - mean) * rho * mean_product);
  }

  template <bool centred, class T>
  void backward(In<T> x, In<T> gain, T eps, In<T> dy, Out<T> dx, Out<T> dgain, Out<T> dbias) {
    assert(x.rows == dx.rows && x.cols == dx.cols && dy.rows == x.rows && dy.cols == x.cols && gain.size() == x.cols);
    bool const parameters = !dgain.empty() || !dbias.empty();
    auto* const moments = static_cast<Derived*>(this)->workspace()
                              .shared(scratch_bytes<RowMoments<T>>(x.rows)).template take<RowMoments<T>>(x.rows);
    parallel_row_blocks(x.rows, x.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) {
        auto const row = centred ? layer_moments(x.row(t), x.cols, eps) : rms_moments(x.row(t), x.cols, eps);
        moments[t] = row;
        backward_row<centred>(x.row(t), gain.data, dy.row(t), x.cols, row, dx.row(t));
      }
    });
    if (!parameters) return;
    // Columns are split, not rows, so that no two tasks add into one place.
    constexpr Index width = 64;
    parallel_blocks(x.cols, width, [&](Index begin, Index end) {
      double gain_sum[width] = {}, bias_sum[width] = {};
      for (Index t = 0; t < x.rows; ++t) {
        T const *const in = x.row(t) + begin, *const slope = dy.row(t) + begin;
        T const mean = moments[t].mean, rho = moments[t].rho;
        GRAFT_SIMD
        for (Index c = 0; c < end - begin; ++c) {
          gain_sum[c] += static_cast<double>(slope[c] * (in[c] - mean) * rho);
          bias_sum[c] += static_cast<double>(slope[c]);
        }
      }
      for (Index c = begin; c < end; ++c) {
        if (!dgain.empty()) dgain.data[c] += static_cast<T>(gain_sum[c - begin]);
        if (!dbias.empty()) dbias.data[c] += static_cast<T>(bias_sum[c - begin]);
      }
    });
  }
};

}  // namespace graft::detail
