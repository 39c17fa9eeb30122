// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/exp.hpp>
#include <graft/backend/cpu/simd.hpp>
#include <graft/backend/cpu/softmax_panel.hpp>
#include <graft/backend/cpu/workspace.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace graft::detail {

inline constexpr Index query_tile = 64;
inline constexpr Index key_tile = 128;

/// Keys and values of one head of one sequence: its first `prefix` tokens lie at prefix_k, prefix_v, the others at k, v.
template <class T>
struct KeyRows {
  T const* k;
  T const* v;
  Index k_stride;
  Index v_stride;
  T const* prefix_k = nullptr;
  T const* prefix_v = nullptr;
  Index prefix = 0;
};

/// How many keys from key `first` on make a tile: they lie together, and end before `end`.
[[nodiscard]] inline Index tile_keys(Index first, Index prefix, Index end) {
  return std::min(key_tile, (first < prefix ? prefix : end) - first);
}

/// Some rows of queries that read the same keys. Row i stands at position `position + i·step` of its sequence (step 0:
/// the heads of one token).
template <class T>
struct QueryRows {
  T const* q;
  Index stride;
  Index rows;
  Index position;
  Index step;

  /// Keys that row i sees: [first_key, end_key).
  [[nodiscard]] Index end_key(Index i) const { return position + i * step + 1; }
  [[nodiscard]] Index first_key(Index i, Index window) const {
    return window > 0 ? std::max<Index>(0, end_key(i) - window) : 0;
  }
};

/// The part [begin, end) of the keys first … first + n - 1 that one query sees, counted from `first`.
struct VisibleKeys {
  Index begin;
  Index end;

  template <class T>
  VisibleKeys(QueryRows<T> const& queries, Index row, Index window, Index first, Index n)
      : begin(std::clamp<Index>(queries.first_key(row, window) - first, 0, n)),
        end(std::clamp<Index>(queries.end_key(row) - first, begin, n)) {}
};

/// scores[0, n) := e^(scores - max) on the visible part and 0 elsewhere; returns the sum.
template <class T>
[[nodiscard]] T exp_visible(T* scores, Index n, VisibleKeys visible, T max) {
  std::fill(scores, scores + visible.begin, T{0});
  T sum = 0;
  GRAFT_SIMD_SUM(sum)
  for (Index j = visible.begin; j < visible.end; ++j) {
    T const e = fast_exp(scores[j] - max);
    scores[j] = e;
    sum += e;
  }
  std::fill(scores + visible.end, scores + n, T{0});
  return sum;
}

template <class T>
void scale_row(T* row, Index n, T factor) {
  GRAFT_SIMD
  for (Index i = 0; i < n; ++i) row[i] *= factor;
}

template <class T>
[[nodiscard]] T dot(T const* a, T const* b, Index n) {
  T sum = 0;
  GRAFT_SIMD_SUM(sum)
  for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// p: scores in, probabilities out. ds: dO·Vᵀ in, scale·P∘(dO·Vᵀ - D) out. Both 0 where the query sees nothing.
template <class T>
void recompute_row(T* p, T* ds, Index n, VisibleKeys visible, T lse, T delta, T scale) {
  std::fill(p, p + visible.begin, T{0});
  std::fill(ds, ds + visible.begin, T{0});
  GRAFT_SIMD
  for (Index j = visible.begin; j < visible.end; ++j) {
    T const probability = fast_exp(p[j] - lse);
    p[j] = probability;
    ds[j] = scale * probability * (ds[j] - delta);
  }
  std::fill(p + visible.end, p + n, T{0});
  std::fill(ds + visible.end, ds + n, T{0});
}

/// Scratch bytes of `attend`.
template <class T>
[[nodiscard]] std::size_t attend_bytes() {
  return scratch_bytes<T>(query_tile * key_tile);
}

/// o = softmax(scale·q·kᵀ)·v for up to `query_tile` query rows, tile by tile over the keys with a running maximum and sum
/// (Dao et al., "FlashAttention", 2022). Tiles that nobody sees are skipped. `store_lse(i, value)` receives the
/// log-sum-exp of each row.
template <class Backend, class T, class StoreLse>
void attend(Backend& backend, QueryRows<T> const& queries, KeyRows<T> const& keys, AttentionShape const& shape,
            Scratch scratch, T* o, Index o_stride, StoreLse&& store_lse) {
  T* const scores = scratch.take<T>(query_tile * key_tile);
  T max[query_tile], sum[query_tile];
  std::fill_n(max, queries.rows, -std::numeric_limits<T>::infinity());
  std::fill_n(sum, queries.rows, T{0});
  Index const begin = queries.first_key(0, shape.window), end = queries.end_key(queries.rows - 1);
  for (Index first = begin, n = 0; first < end; first += n) {
    n = tile_keys(first, keys.prefix, end);
    bool const shared = first < keys.prefix;
    T const* const k = shared ? keys.prefix_k + first * keys.k_stride : keys.k + (first - keys.prefix) * keys.k_stride;
    T const* const v = shared ? keys.prefix_v + first * keys.v_stride : keys.v + (first - keys.prefix) * keys.v_stride;
    backend.tile_gemm(Op::none, Op::transpose, queries.rows, n, shape.head_dim, static_cast<T>(shape.scale), queries.q,
                      queries.stride, k, keys.k_stride, T{0}, scores, key_tile);
    for (Index i = 0; i < queries.rows; ++i) {
      T* const row = scores + i * key_tile;
      VisibleKeys const visible(queries, i, shape.window, first, n);
      T const old = max[i];
      if (visible.begin < visible.end) max[i] = row_max(row + visible.begin, visible.end - visible.begin, old);
      T const added = exp_visible(row, n, visible, max[i]);
      if (first == begin) {
        sum[i] = added;
      } else if (max[i] != old) {
        T const rescale = fast_exp(old - max[i]);
        sum[i] = sum[i] * rescale + added;
        scale_row(o + i * o_stride, shape.head_dim, rescale);
      } else {
        sum[i] += added;
      }
    }
    backend.tile_gemm(Op::none, Op::none, queries.rows, shape.head_dim, n, T{1}, static_cast<T const*>(scores), key_tile,
                      v, keys.v_stride, first == begin ? T{0} : T{1}, o, o_stride);
  }
  for (Index i = 0; i < queries.rows; ++i) {
    scale_row(o + i * o_stride, shape.head_dim, T{1} / sum[i]);
    store_lse(i, max[i] + std::log(sum[i]));
  }
}

}  // namespace graft::detail
