// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/backend_agreement.hpp"

namespace graft::test {

struct AttentionCase {
  AttentionShape shape;
  std::vector<std::int32_t> lengths;
  std::vector<std::int32_t> prefix = {};  ///< as in `PackedSequences`
};

[[nodiscard]] inline std::vector<AttentionCase> attention_cases() {
  auto const shape = [](Index heads, Index kv_heads, Index dim, Index window = 0) {
    return AttentionShape{heads, kv_heads, dim, 1 / std::sqrt(static_cast<double>(dim)), window};
  };
  return {{shape(1, 1, 8), {}},
          {shape(1, 1, 8), {0}},
          {shape(2, 1, 8), {1}},
          {shape(3, 1, 64), {1, 0, 2, 63, 64, 65}},
          {shape(9, 3, 64), {200, 37}},
          {shape(4, 1, 256), {150}},
          {shape(4, 4, 20), {129, 128, 127}},
          {shape(4, 2, 20), {333}},
          {shape(2, 1, 8), {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4}},
          {shape(3, 1, 8, 1), {70}},
          {shape(4, 2, 8, 7), {300, 5}},
          {shape(2, 2, 64, 64), {193}},
          {shape(2, 1, 20, 150), {400, 20}},
          {shape(2, 1, 20, 10000), {140}},
          {shape(9, 3, 64), {200, 37, 90, 40, 7}, {0, 150, 200, 0, 1}},
          {shape(4, 2, 20), {3, 70, 300}, {0, 3, 0}},
          {shape(4, 4, 8), {129, 1, 1, 128}, {0, 128, 129, 64}},
          {shape(4, 2, 8, 7), {300, 5, 90}, {0, 299, 3}},
          {shape(2, 1, 20, 150), {400, 20, 200}, {0, 380, 100}}};
}

template <Scalar T, class B>
void attention_agrees(B& backend, Demands demands = {}) {
  Rng rng(9);
  for (AttentionCase const& c : attention_cases()) {
    std::vector<std::int32_t> cu{0};
    for (std::int32_t const length : c.lengths) cu.push_back(cu.back() + length);
    PackedSequences const packed(cu, c.prefix);
    Index const tokens = cu.back(), q_cols = c.shape.heads * c.shape.head_dim, kv_cols = c.shape.kv_heads * c.shape.head_dim;
    auto const random = [&](Index cols, double scale, Index gap) { return HostMatrix<T>::random(tokens, cols, rng, scale, gap); };
    Case<T> data;  // q, k, v, o, lse, d_o, dq, dk, dv; wild scores make softmax's maximum move
    data.matrices = {random(q_cols, 2, 4),  random(kv_cols, 2, 0), random(kv_cols, 1, 2),
                     random(q_cols, 1, 0),  random(c.shape.heads, 1, 0), random(q_cols, 1, 1),
                     random(q_cols, 1, 0),  random(kv_cols, 1, 3), random(kv_cols, 1, 0)};
    std::string const what = std::to_string(tokens) + " tokens, heads " + std::to_string(c.shape.heads) + "/" +
                             std::to_string(c.shape.kv_heads) + ", dim " + std::to_string(c.shape.head_dim) + ", window " +
                             std::to_string(c.shape.window) + (c.prefix.empty() ? "" : ", shared prefixes");
    Demands wider = demands;
    wider.float_tolerance *= 10;  // gradients of some hundred added terms
    agree<T>(backend, "attention " + what, data, wider, [&](auto& b, Arguments<T> const& a) {
      b.attention_forward(a.m[0], a.m[1], a.m[2], c.shape, packed, a.m[3], a.m[4]);
      b.attention_backward(a.m[0], a.m[1], a.m[2], a.m[3], a.m[4], a.m[5], c.shape, packed, a.m[6], a.m[7], a.m[8]);
    });
  }
}

/// The last rows of each sequence over its cached keys: single tokens, prefill, and a mixture in any order of rows.
template <Scalar T, class B>
void cached_attention_agrees(B& backend, Demands demands = {}) {
  Rng rng(10);
  struct Sequence {
    Index q_rows, length;
  };
  struct Shape {
    AttentionShape attention;
    std::vector<Sequence> sequences;
  };
  auto const shape = [](Index heads, Index kv_heads, Index dim, Index window = 0) {
    return AttentionShape{heads, kv_heads, dim, 1 / std::sqrt(static_cast<double>(dim)), window};
  };
  for (Shape const& s : {Shape{shape(9, 3, 64), {{1, 1}, {1, 300}, {1, 129}}}, Shape{shape(4, 1, 256), {{1, 200}}},
                         Shape{shape(4, 4, 20), {{70, 70}, {65, 200}, {0, 0}, {1, 33}}}, Shape{shape(2, 1, 8, 5), {{1, 40}, {30, 100}}},
                         Shape{shape(130, 1, 8), {{1, 20}}}, Shape{shape(2, 1, 8), {}}}) {
    Index tokens = 0;
    Index const kv_cols = s.attention.kv_heads * s.attention.head_dim, q_cols = s.attention.heads * s.attention.head_dim;
    Case<T> data;
    for (Sequence const& sequence : s.sequences) {
      tokens += sequence.q_rows;
      data.matrices.push_back(HostMatrix<T>::random(sequence.length, kv_cols, rng, 2));
      data.matrices.push_back(HostMatrix<T>::random(sequence.length, kv_cols, rng));
    }
    std::size_t const q = data.matrices.size(), o = q + 1;
    data.matrices.push_back(HostMatrix<T>::random(tokens, q_cols, rng, 2, 3));
    data.matrices.push_back(HostMatrix<T>::random(tokens, q_cols, rng, 1, 1));
    std::vector<CachedSequence<T>> sequences(s.sequences.size());
    agree<T>(backend, "attention_cached", data, demands, [&](auto& b, Arguments<T> const& a) {
      Index end = tokens;  // the first sequence has the last query rows
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        end -= s.sequences[i].q_rows;
        sequences[i] = {end, s.sequences[i].q_rows, s.sequences[i].length, a.m[2 * i].data, a.m[2 * i + 1].data};
      }
      b.attention_cached(a.m[q], s.attention, std::span<CachedSequence<T> const>(sequences), a.m[o]);
    });
  }
}

}  // namespace graft::test
