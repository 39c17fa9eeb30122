// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace graft::detail {

/// `AttentionBackend` by its formulas: each query materialises its row of scores.
struct ReferenceAttention {
  template <Scalar T>
  void attention_forward(InArg<T> q, InArg<T> k, InArg<T> v, AttentionShape shape, PackedSequences const& packed,
                         Out<T> o, std::type_identity_t<Out<T>> lse) {
    for_each_query(packed, [&](Index s, Index t, Index token) {
      for (Index h = 0; h < shape.heads; ++h) {
        Index const kv = kv_column(shape, h), first = first_key(shape, token);
        auto const row = [&](auto const& x, Index j) { return x.row(row_of(packed, s, first + j)) + kv; };
        lse.row(t)[h] = static_cast<T>(attend(q.row(t) + h * shape.head_dim, [&](Index j) { return row(k, j); },
                                              [&](Index j) { return row(v, j); }, token + 1 - first, shape, o.row(t) + h * shape.head_dim));
      }
    });
  }

  template <Scalar T>
  void attention_backward(InArg<T> q, InArg<T> k, InArg<T> v, InArg<T> o, InArg<T> lse, InArg<T> d_o,
                          AttentionShape shape, PackedSequences const& packed, Out<T> dq,
                          std::type_identity_t<Out<T>> dk, std::type_identity_t<Out<T>> dv) {
    for (Out<T> const& out : {dq, dk, dv})
      for (Index t = 0; t < out.rows; ++t) std::fill_n(out.row(t), out.cols, T{0});
    Index const dim = shape.head_dim;
    for_each_query(packed, [&](Index s, Index t, Index token) {
      for (Index h = 0; h < shape.heads; ++h) {
        Index const kv = kv_column(shape, h);
        T const* const query = q.row(t) + h * dim;
        T const* const slope = d_o.row(t) + h * dim;
        double const delta = dot(slope, o.row(t) + h * dim, dim);
        for (Index key = first_key(shape, token); key <= token; ++key) {
          Index const j = row_of(packed, s, key);
          double const p = std::exp(shape.scale * dot(query, k.row(j) + kv, dim) - static_cast<double>(lse.row(t)[h]));
          double const ds = p * (dot(slope, v.row(j) + kv, dim) - delta) * shape.scale;
          for (Index d = 0; d < dim; ++d) {
            dq.row(t)[h * dim + d] += static_cast<T>(ds * static_cast<double>(k.row(j)[kv + d]));
            dk.row(j)[kv + d] += static_cast<T>(ds * static_cast<double>(query[d]));
            dv.row(j)[kv + d] += static_cast<T>(p * static_cast<double>(slope[d]));
          }
        }
      }
    });
  }

  template <Scalar T>
  void attention_cached(InArg<T> q, AttentionShape shape, std::span<CachedSequence<T> const> sequences, Out<T> o) {
    Index const stride = shape.kv_heads * shape.head_dim;
    for (CachedSequence<T> const& s : sequences)
      for (Index i = 0; i < s.q_rows; ++i)
        for (Index h = 0; h < shape.heads; ++h) {
          Index const position = s.length - s.q_rows + i, first = first_key(shape, position);
          Index const offset = first * stride + kv_column(shape, h);
          attend(q.row(s.q_begin + i) + h * shape.head_dim, [&](Index j) { return s.keys + offset + j * stride; },
                 [&](Index j) { return s.values + offset + j * stride; }, position + 1 - first, shape,
                 o.row(s.q_begin + i) + h * shape.head_dim);
        }
  }

 private:
  static Index kv_column(AttentionShape const& shape, Index head) {
    assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
    return head / (shape.heads / shape.kv_heads) * shape.head_dim;
  }

  /// The first token of its sequence that the query at `token` sees.
  static Index first_key(AttentionShape const& shape, Index token) {
    return shape.window > 0 ? std::max<Index>(0, token + 1 - shape.window) : 0;
  }
  /// Calls f(s, row, token of its sequence) for each row.
  template <class F>
  static void for_each_query(PackedSequences const& packed, F&& f) {
    for (Index s = 0; s < packed.size(); ++s)
      for (Index t = packed.begin(s); t < packed.end(s); ++t) f(s, t, packed.prefix(s) + t - packed.begin(s));
  }
  static Index row_of(PackedSequences const& packed, Index s, Index token) {
    Index const shared = packed.prefix(s);
    return token < shared ? packed.begin(packed.head(s)) + token : packed.begin(s) + token - shared;
  }

  template <class T>
  static double dot(T const* a, T const* b, Index n) {
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
  }

  /// out = softmax(scale·query·kᵀ)·v over `count` keys k(0), k(1), …; returns the log-sum-exp of the scores.
  template <class T, class K, class V>
  static double attend(T const* query, K&& k, V&& v, Index count, AttentionShape const& shape, T* out) {
    std::vector<double> scores(static_cast<std::size_t>(count));
    double max = -std::numeric_limits<double>::infinity(), sum = 0;
    for (Index j = 0; j < count; ++j) {
      scores[static_cast<std::size_t>(j)] = shape.scale * dot(query, k(j), shape.head_dim);
      max = std::max(max, scores[static_cast<std::size_t>(j)]);
    }
    for (double& score : scores) sum += score = std::exp(score - max);
    for (Index d = 0; d < shape.head_dim; ++d) {
      double value = 0;
      for (Index j = 0; j < count; ++j)
        value += scores[static_cast<std::size_t>(j)] / sum * static_cast<double>(v(j)[d]);
      out[d] = static_cast<T>(value);
    }
    return max + std::log(sum);
  }
};

}  // namespace graft::detail
