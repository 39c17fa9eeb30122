// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/activation.hpp>
#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/quant/decode.hpp>

#include <cassert>
#include <cmath>
#include <span>

namespace graft::detail {

/// `RowBackend` by its formulas, in double between reading and writing.
struct ReferenceRows {
  template <class F, class... P>
  void map(Index n, F f, P*... p) {
    for (Index i = 0; i < n; ++i) f(p[i]...);
  }

  template <Scalar T>
  void copy(InArg<T> x, Out<T> y) {
    for (Index t = 0; t < y.rows; ++t)
      for (Index c = 0; c < y.cols; ++c) y.row(t)[c] = x.row(t)[c];
  }

  template <Scalar T>
  void add_bias(InArg<T> bias, Out<T> y) {
    for (Index t = 0; t < y.rows; ++t)
      for (Index c = 0; c < y.cols; ++c) y.row(t)[c] += bias.data[c];
  }

  template <Scalar T>
  void sum_rows(InArg<T> dy, Out<T> bias) {
    for (Index c = 0; c < bias.cols; ++c) {
      double sum = 0;
      for (Index t = 0; t < dy.rows; ++t) sum += static_cast<double>(dy.row(t)[c]);
      bias.data[c] += static_cast<T>(sum);
    }
  }

  template <Scalar T>
  void scale_rows(PointerArg<T> factor, Out<T> y) {
    for (Index t = 0; t < y.rows; ++t)
      for (Index c = 0; c < y.cols; ++c) y.row(t)[c] *= factor[t];
  }

  template <class T>
  [[nodiscard]] double sum_of_squares(MatrixView<T> x) {
    double sum = 0;
    for (Index t = 0; t < x.rows; ++t)
      for (Index c = 0; c < x.cols; ++c) sum += static_cast<double>(x.row(t)[c]) * static_cast<double>(x.row(t)[c]);
    return sum;
  }

  template <Scalar T>
  void dropout(InArg<T> x, ValueArg<T> p, Philox random, bool accumulate, Out<T> y) {
    double const limit = static_cast<double>(p) * 0x1p32;
    for (Index t = 0; t < y.rows; ++t)
      for (Index c = 0; c < y.cols; ++c) {
        bool const keep = random.word(static_cast<std::uint64_t>(t * y.cols + c)) >= limit;
        T const value = keep ? x.row(t)[c] / (T{1} - p) : T{0};
        y.row(t)[c] = accumulate ? y.row(t)[c] + value : value;
      }
  }

  template <Scalar T>
  void rms_norm_forward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, Out<T> y) {
    for (Index t = 0; t < y.rows; ++t) {
      double const rho = reciprocal_rms(x.rows_between(t, t + 1), eps);
      for (Index c = 0; c < y.cols; ++c)
        y.row(t)[c] = static_cast<T>(static_cast<double>(x.row(t)[c]) * rho * static_cast<double>(gain.data[c]));
    }
  }

  template <Scalar T>
  void rms_norm_backward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, InArg<T> dy, Out<T> dx, Out<T> dgain) {
    for (Index t = 0; t < x.rows; ++t) {
      double const rho = reciprocal_rms(x.rows_between(t, t + 1), eps);
      double mean = 0;  // of gain·dy·x̂
      for (Index c = 0; c < x.cols; ++c)
        mean += static_cast<double>(gain.data[c]) * static_cast<double>(dy.row(t)[c]) *
                static_cast<double>(x.row(t)[c]) * rho / static_cast<double>(x.cols);
      for (Index c = 0; c < x.cols; ++c) {
        double const hat = static_cast<double>(x.row(t)[c]) * rho;
        double const slope = static_cast<double>(dy.row(t)[c]);
        dx.row(t)[c] += static_cast<T>(rho * (static_cast<double>(gain.data[c]) * slope - hat * mean));
        if (!dgain.empty()) dgain.data[c] += static_cast<T>(slope * hat);
      }
    }
  }

  template <Scalar T>
  void layer_norm_forward(InArg<T> x, InArg<T> gain, InArg<T> bias, ValueArg<T> eps, Out<T> y) {
    for (Index t = 0; t < y.rows; ++t) {
      auto const [mean, rho] = moments(x.rows_between(t, t + 1), eps);
      for (Index c = 0; c < y.cols; ++c)
        y.row(t)[c] = static_cast<T>((static_cast<double>(x.row(t)[c]) - mean) * rho * static_cast<double>(gain.data[c]) +
                                     static_cast<double>(bias.data[c]));
    }
  }

  template <Scalar T>
  void layer_norm_backward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, InArg<T> dy, Out<T> dx, Out<T> dgain,
                           Out<T> dbias) {
    auto const n = static_cast<double>(x.cols);
    for (Index t = 0; t < x.rows; ++t) {
      auto const [mean, rho] = moments(x.rows_between(t, t + 1), eps);
      double mean_slope = 0, mean_product = 0;
      for (Index c = 0; c < x.cols; ++c) {
        double const slope = static_cast<double>(gain.data[c]) * static_cast<double>(dy.row(t)[c]);
        mean_slope += slope / n;
        mean_product += slope * (static_cast<double>(x.row(t)[c]) - mean) * rho / n;
      }
      for (Index c = 0; c < x.cols; ++c) {
        double const hat = (static_cast<double>(x.row(t)[c]) - mean) * rho;
        auto const dyc = static_cast<double>(dy.row(t)[c]);
        dx.row(t)[c] += static_cast<T>(rho * (static_cast<double>(gain.data[c]) * dyc - mean_slope - hat * mean_product));
        if (!dgain.empty()) dgain.data[c] += static_cast<T>(dyc * hat);
        if (!dbias.empty()) dbias.data[c] += static_cast<T>(dyc);
      }
    }
  }

  template <Scalar T>
  void gated_forward(Activation activation, InArg<T> gate, InArg<T> up, Out<T> h) {
    for (Index t = 0; t < h.rows; ++t)
      for (Index c = 0; c < h.cols; ++c)
        h.row(t)[c] = static_cast<T>(activate(activation, static_cast<double>(gate.row(t)[c])).value *
                                     (up.empty() ? 1.0 : static_cast<double>(up.row(t)[c])));
  }

  template <Scalar T>
  void gated_backward(Activation activation, InArg<T> gate, InArg<T> up, InArg<T> dh, Out<T> dgate, Out<T> dup) {
    for (Index t = 0; t < dgate.rows; ++t)
      for (Index c = 0; c < dgate.cols; ++c) {
        auto const [value, slope] = activate(activation, static_cast<double>(gate.row(t)[c]));
        double const u = up.empty() ? 1.0 : static_cast<double>(up.row(t)[c]);
        auto const g = static_cast<double>(dh.row(t)[c]);
        dgate.row(t)[c] = static_cast<T>(g * u * slope);
        if (!dup.empty()) dup.row(t)[c] = static_cast<T>(g * value);
      }
  }

  template <Scalar T>
  void rope_tables(std::int32_t const* positions, std::span<double const> frequencies, ValueArg<T> factor, Out<T> cos,
                   std::type_identity_t<Out<T>> sin) {
    for (Index t = 0; t < cos.rows; ++t)
      for (Index i = 0; i < cos.cols; ++i) {
        double const angle = positions[t] * frequencies[static_cast<std::size_t>(i)];
        cos.row(t)[i] = static_cast<T>(std::cos(angle) * static_cast<double>(factor));
        sin.row(t)[i] = static_cast<T>(std::sin(angle) * static_cast<double>(factor));
      }
  }

  template <Scalar T>
  void rope(Out<T> x, Index heads, InArg<T> cos, InArg<T> sin, bool inverse) {
    Index const dim = x.cols / heads, half = cos.cols;
    assert(heads * dim == x.cols && 2 * half <= dim);
    for (Index t = 0; t < x.rows; ++t)
      for (Index h = 0; h < heads; ++h)
        for (Index i = 0; i < half; ++i) {
          T& first = x.row(t)[h * dim + i];
          T& second = x.row(t)[h * dim + i + half];
          T const c = cos.row(t)[i], s = inverse ? -sin.row(t)[i] : sin.row(t)[i];
          T const a = first, b = second;
          first = a * c - b * s;
          second = b * c + a * s;
        }
  }

  template <Scalar T>
  void embedding_forward(std::int32_t const* ids, StoredMatrix table, ValueArg<T> scale, Out<T> x) {
    for (Index t = 0; t < x.rows; ++t) {
      assert(0 <= ids[t] && ids[t] < table.rows);
      decode_rows(table, ids[t], ids[t] + 1, x.rows_between(t, t + 1));
      for (Index c = 0; c < x.cols; ++c) x.row(t)[c] *= scale;
    }
  }

  template <Scalar T>
  void embedding_backward(std::int32_t const* ids, InArg<T> dx, ValueArg<T> scale, Out<T> dtable) {
    for (Index t = 0; t < dx.rows; ++t)
      for (Index c = 0; c < dx.cols; ++c) dtable.row(ids[t])[c] += scale * dx.row(t)[c];
  }

 private:
  template <class T>
  static double reciprocal_rms(MatrixView<T const> row, T eps) {
    double sum = 0;
    for (Index c = 0; c < row.cols; ++c) sum += static_cast<double>(row.data[c]) * static_cast<double>(row.data[c]);
    return 1 / std::sqrt(sum / static_cast<double>(row.cols) + static_cast<double>(eps));
  }

  struct Moments {
    double mean;
    double rho;  // 1 / sqrt(var + eps)
  };
  template <class T>
  static Moments moments(MatrixView<T const> row, T eps) {
    auto const n = static_cast<double>(row.cols);
    double mean = 0, variance = 0;
    for (Index c = 0; c < row.cols; ++c) mean += static_cast<double>(row.data[c]) / n;
    for (Index c = 0; c < row.cols; ++c) {
      double const centred = static_cast<double>(row.data[c]) - mean;
      variance += centred * centred / n;
    }
    return {mean, 1 / std::sqrt(variance + static_cast<double>(eps))};
  }
};

}  // namespace graft::detail
