// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/nn/attention.hpp>

#include <support/matrix.hpp>
#include <support/module_bench.hpp>
#include <support/plain_modules.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace graft::test {

/// Packed sequences with rotations that are their own for each pair: what attention is told of positions.
struct PackedPositions {
  explicit PackedPositions(std::vector<Index> const& lengths, Index head_dim) : cu_seqlens{0} {
    for (Index i = 0; i < head_dim / 2; ++i) inverse.push_back(1 / (1.0 + 2.0 * static_cast<double>(i)));
    for (Index const length : lengths) {
      for (Index t = 0; t < length; ++t) positions.push_back(t);
      cu_seqlens.push_back(static_cast<std::int32_t>(positions.size()));
    }
    cos = sin = Matrix(tokens(), head_dim / 2);
    for (Index t = 0; t < cos.rows; ++t)
      for (Index i = 0; i < cos.cols; ++i) {
        double const angle = static_cast<double>(positions[static_cast<std::size_t>(t)]) * inverse[static_cast<std::size_t>(i)];
        cos(t, i) = std::cos(angle);
        sin(t, i) = std::sin(angle);
      }
  }
  [[nodiscard]] Index tokens() const { return static_cast<Index>(positions.size()); }
  [[nodiscard]] Positions<double> get() const {
    Matrix const &c = cos, &s = sin;
    return {cu_seqlens, c.view(), s.view()};
  }

  std::vector<std::int32_t> cu_seqlens;
  std::vector<Index> positions;
  std::vector<double> inverse;
  Matrix cos, sin;
};

/// Weights of an attention module under `name`.
inline void add_attention_weights(NamedWeights& weights, std::string const& name, AttentionConfig const& config) {
  Index const q = config.shape.heads * config.shape.head_dim, kv = config.shape.kv_heads * config.shape.head_dim;
  for (char const* part : {".q_proj", ".k_proj", ".v_proj"}) {
    Index const rows = part == std::string(".q_proj") ? q : kv;
    weights.matrix(name + part + ".weight", rows, config.hidden_size);
    weights.vector(name + part + ".bias", rows);
  }
  weights.matrix(name + ".o_proj.weight", config.hidden_size, q);
  weights.vector(name + ".o_proj.bias", config.hidden_size);
  for (char const* part : {".q_norm.weight", ".k_norm.weight"}) weights.vector(name + part, config.shape.head_dim, 1);
}

/// The whole module from its formula. `qk_norm` has the offset of the norms' gains in `offset`.
[[nodiscard]] inline Matrix plain_attention_module(Matrix const& x, NamedWeights const& w, std::string const& name,
                                                   AttentionConfig const& config, PackedPositions const& where, bool qk_norm,
                                                   double offset = 0) {
  auto const project = [&](Matrix const& in, char const* part, bool bias) {
    return plain_linear(in, w[name + part + ".weight"], bias ? &w[name + part + ".bias"] : nullptr);
  };
  Matrix q = project(x, ".q_proj", config.qkv_bias), k = project(x, ".k_proj", config.qkv_bias);
  Matrix const v = project(x, ".v_proj", config.qkv_bias);
  if (qk_norm) {
    q = plain_rms_norm(q, w[name + ".q_norm.weight"], config.norm_eps, offset);
    k = plain_rms_norm(k, w[name + ".k_norm.weight"], config.norm_eps, offset);
  }
  if (config.rope) {
    q = plain_rope(q, where.inverse, where.positions);
    k = plain_rope(k, where.inverse, where.positions);
  }
  return project(plain_attention(q, k, v, config.shape, where.cu_seqlens), ".o_proj", config.output_bias);
}

}  // namespace graft::test
