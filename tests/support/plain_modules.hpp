// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>

#include <support/matrix.hpp>

#include <cmath>
#include <complex>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

/// What modules compute, each straight from its formula and without graft's operations.
namespace graft::test {

/// x·Wᵀ (+ bias).
[[nodiscard]] inline Matrix plain_linear(Matrix const& x, Matrix const& w, Matrix const* bias = nullptr) {
  Matrix y(x.rows, w.rows);
  for (Index t = 0; t < x.rows; ++t)
    for (Index o = 0; o < w.rows; ++o) {
      double total = bias == nullptr ? 0 : (*bias)(0, o);
      for (Index i = 0; i < x.cols; ++i) total += x(t, i) * w(o, i);
      y(t, o) = total;
    }
  return y;
}

/// Every group of gain.cols elements of a row is divided by the root of its mean square.
[[nodiscard]] inline Matrix plain_rms_norm(Matrix const& x, Matrix const& gain, double eps, double offset = 0) {
  Matrix y = x;
  Index const width = gain.cols;
  for (Index t = 0; t < x.rows; ++t)
    for (Index begin = 0; begin < x.cols; begin += width) {
      double squares = 0;
      for (Index i = 0; i < width; ++i) squares += x(t, begin + i) * x(t, begin + i);
      double const root = std::sqrt(squares / static_cast<double>(width) + eps);
      for (Index i = 0; i < width; ++i) y(t, begin + i) = x(t, begin + i) / root * (gain(0, i) + offset);
    }
  return y;
}

[[nodiscard]] inline double plain_silu(double x) { return x / (1 + std::exp(-x)); }
[[nodiscard]] inline double plain_gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * std::pow(x, 3))));
}

/// (act(x·Wgᵀ)·(x·Wuᵀ))·Wdᵀ with the biases of gate, up and down, if there are.
template <class Act>
[[nodiscard]] Matrix plain_gated_mlp(Matrix const& x, Matrix const& gate, Matrix const& up, Matrix const& down, Act act,
                                     std::vector<Matrix> const& biases = {}) {
  auto const bias = [&](std::size_t i) { return biases.empty() ? nullptr : &biases[i]; };
  Matrix h = plain_linear(x, gate, bias(0));
  Matrix const u = plain_linear(x, up, bias(1));
  for (std::size_t i = 0; i < h.values.size(); ++i) h.values[i] = act(h.values[i]) * u.values[i];
  return plain_linear(h, down, bias(2));
}

/// Turns the pair (i, i + D/2) of each head by position·inverse[i], as a complex number.
[[nodiscard]] inline Matrix plain_rope(Matrix const& x, std::vector<double> const& inverse, std::vector<Index> const& positions) {
  Matrix y = x;
  auto const half = static_cast<Index>(inverse.size());
  for (Index t = 0; t < x.rows; ++t)
    for (Index head = 0; head < x.cols; head += 2 * half)
      for (Index i = 0; i < half; ++i) {
        double const angle = static_cast<double>(positions[static_cast<std::size_t>(t)]) * inverse[static_cast<std::size_t>(i)];
        auto const turned = std::complex(x(t, head + i), x(t, head + half + i)) * std::polar(1.0, angle);
        y(t, head + i) = turned.real();
        y(t, head + half + i) = turned.imag();
      }
  return y;
}

/// softmax(scale·q·kᵀ)·v per head, causal within each sequence, over a whole T × T score matrix.
[[nodiscard]] inline Matrix plain_attention(Matrix const& q, Matrix const& k, Matrix const& v, AttentionShape const& shape,
                                            std::vector<std::int32_t> const& cu_seqlens) {
  Matrix o(q.rows, q.cols);
  Index const group = shape.heads / shape.kv_heads;
  std::vector<Index> sequence;
  for (std::size_t s = 0; s + 1 < cu_seqlens.size(); ++s)
    sequence.insert(sequence.end(), static_cast<std::size_t>(cu_seqlens[s + 1] - cu_seqlens[s]), static_cast<Index>(s));
  for (Index h = 0; h < shape.heads; ++h)
    for (Index t = 0; t < q.rows; ++t) {
      std::vector<std::pair<Index, double>> weights;
      double total = 0;
      for (Index j = 0; j <= t; ++j) {
        if (sequence[static_cast<std::size_t>(j)] != sequence[static_cast<std::size_t>(t)]) continue;
        if (shape.window > 0 && t - j >= shape.window) continue;
        double score = 0;
        for (Index d = 0; d < shape.head_dim; ++d)
          score += q(t, h * shape.head_dim + d) * k(j, h / group * shape.head_dim + d);
        weights.emplace_back(j, std::exp(shape.scale * score));
        total += weights.back().second;
      }
      for (auto const& [j, weight] : weights)
        for (Index d = 0; d < shape.head_dim; ++d)
          o(t, h * shape.head_dim + d) += weight / total * v(j, h / group * shape.head_dim + d);
    }
  return o;
}

}  // namespace graft::test
