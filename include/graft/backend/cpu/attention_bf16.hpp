// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/attention_tile.hpp>
#include <graft/backend/cpu/bf16_pairs.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace graft::detail {

/// Whether this processor has the products of `attend_bf16`, for heads of this size.
[[nodiscard]] constexpr bool attends_in_bf16(Index head_dim) { return GRAFT_HAS_BF16_LANES && head_dim % 32 == 0; }

/// Keys of a tile, and query rows whose scores are made and used at once: all of it stays in the first cache.
inline constexpr Index bf16_key_tile = 128;
inline constexpr Index row_block = 24;

/// Where the gradients of a tile's keys and values go.
struct KeyGrads {
  float* dk;
  float* dv;
  Index dk_stride;
  Index dv_stride;
};

/// Scratch bytes of `attend_bf16` for `heads` heads.
[[nodiscard]] constexpr std::size_t attend_bf16_bytes(Index heads, Index dim) {
  return scratch_bytes<Bf16Pair>(heads * query_tile * dim / 2) + 2 * scratch_bytes<Bf16Pair>(bf16_key_tile * dim / 2) +
         scratch_bytes<float>(row_block * bf16_key_tile) + scratch_bytes<Bf16Pair>(query_tile * bf16_key_tile / 2) +
         2 * scratch_bytes<float>(heads * query_tile);
}

/// Scratch bytes of `attend_backward_bf16`.
[[nodiscard]] constexpr std::size_t attend_backward_bf16_bytes(Index heads, Index dim) {
  return 4 * scratch_bytes<Bf16Pair>(heads * query_tile * dim / 2) + scratch_bytes<float>(heads * query_tile) +
         3 * scratch_bytes<Bf16Pair>(bf16_key_tile * dim / 2) + 2 * scratch_bytes<float>(row_block * bf16_key_tile) +
         3 * scratch_bytes<Bf16Pair>(query_tile * bf16_key_tile / 2);
}

#if GRAFT_HAS_BF16_LANES

/// Where the rows of keys (or values) of a tile begin.
struct KeyTile {
  Index first;
  Index keys;
  float const* k;
  float const* v;

  KeyTile(KeyRows<float> const& rows, Index first_key, Index end)
      : first(first_key), keys(std::min(bf16_key_tile, tile_keys(first_key, rows.prefix, end))) {
    bool const shared = first < rows.prefix;
    Index const row = shared ? first : first - rows.prefix;
    k = (shared ? rows.prefix_k : rows.k) + row * rows.k_stride;
    v = (shared ? rows.prefix_v : rows.v) + row * rows.v_stride;
  }
};

/// `attend` for `heads` query heads that read the same keys, side by side in columns of q and o: both products multiply bf16
/// (q, k, v and the probabilities e^(s - max) rounded) and add in float; maximum, exponential and sum are float.
template <class StoreLse>
void attend_bf16(QueryRows<float> const& queries, Index heads, KeyRows<float> const& keys, AttentionShape const& shape,
                 Scratch scratch, float* o, Index o_stride, StoreLse&& store_lse) {
  Index const dim = shape.head_dim, rows = queries.rows, pairs = dim / 2;
  auto* const q = scratch.take<Bf16Pair>(heads * query_tile * pairs);
  auto* const k = scratch.take<Bf16Pair>(bf16_key_tile * pairs);  // (dim/2, keys)
  auto* const v = scratch.take<Bf16Pair>(bf16_key_tile * pairs);  // (keys/2, dim)
  auto* const scores = scratch.take<float>(row_block * bf16_key_tile);
  auto* const probabilities = scratch.take<Bf16Pair>(query_tile * bf16_key_tile / 2);
  auto* const max = scratch.take<float>(heads * query_tile);
  auto* const sum = scratch.take<float>(heads * query_tile);
  std::fill_n(max, heads * query_tile, -std::numeric_limits<float>::infinity());
  std::fill_n(sum, heads * query_tile, 0.0f);
  auto const scale = static_cast<float>(shape.scale);
  for (Index h = 0; h < heads; ++h)
    pair_columns(queries.q + h * dim, queries.stride, rows, dim, scale, q + h * query_tile * pairs, pairs);
  Index const begin = queries.first_key(0, shape.window), end = queries.end_key(rows - 1);
  for (Index first = begin; first < end;) {
    KeyTile const tile(keys, first, end);
    Index const n = tile.keys;
    pair_columns_transposed(tile.k, keys.k_stride, n, dim, k, bf16_key_tile);
    pair_rows(tile.v, keys.v_stride, n, dim, v, dim);
    for (Index h = 0; h < heads; ++h) {
      for (Index i = 0; i < rows; ++i) {
        if (i % row_block == 0)
          bf16_product({q + (h * query_tile + i) * pairs, pairs, 1}, std::min(row_block, rows - i), k, bf16_key_tile, n, pairs,
                       false, scores, bf16_key_tile);
        float* const row = scores + i % row_block * bf16_key_tile;
        float* const out = o + i * o_stride + h * dim;
        float &row_max_so_far = max[h * query_tile + i], &row_sum = sum[h * query_tile + i];
        VisibleKeys const visible(queries, i, shape.window, first, n);
        float const old = row_max_so_far;
        if (visible.begin < visible.end)
          row_max_so_far = row_max(row + visible.begin, visible.end - visible.begin, old);
        float const added = exp_visible(row, n, visible, row_max_so_far);
        if (first != begin && row_max_so_far != old) {
          float const rescale = fast_exp(old - row_max_so_far);
          row_sum *= rescale;
          scale_row(out, dim, rescale);
        }
        row_sum += added;
        pair_columns(row, bf16_key_tile, 1, n, 1.0f, probabilities + i * bf16_key_tile / 2, bf16_key_tile / 2);
      }
      bf16_product({probabilities, bf16_key_tile / 2, 1}, rows, v, dim, dim, (n + 1) / 2, first != begin, o + h * dim, o_stride);
    }
    first += n;
  }
  for (Index h = 0; h < heads; ++h)
    for (Index i = 0; i < rows; ++i) {
      float const total = sum[h * query_tile + i];
      scale_row(o + i * o_stride + h * dim, dim, 1.0f / total);
      store_lse(h, i, max[h * query_tile + i] + std::log(total));
    }
}

/// Rows of queries, and of what backward reads and writes beside them: `heads` heads side by side.
struct SlopeRows {
  float const* d_o;
  float const* o;
  float const* lse;
  float* dq;
  Index d_o_stride;
  Index o_stride;
  Index lse_stride;
  Index dq_stride;
};

/// The five products of attention's backward in bf16, added in float, for `heads` query heads that read the same keys: dQ of
/// these rows, and dk, dv += for the keys they see. `grads(first)` gives where the gradients of key `first` lie.
template <class Grads>
void attend_backward_bf16(QueryRows<float> const& queries, SlopeRows const& slopes, Index heads, KeyRows<float> const& keys,
                          AttentionShape const& shape, Scratch scratch, Grads&& grads) {
  Index const dim = shape.head_dim, rows = queries.rows, pairs = dim / 2, size = query_tile * pairs;
  auto* const q = scratch.take<Bf16Pair>(heads * size);            // (rows, dim/2)
  auto* const q_rows = scratch.take<Bf16Pair>(heads * size);       // (rows/2, dim)
  auto* const slope = scratch.take<Bf16Pair>(heads * size);        // dO as q
  auto* const slope_rows = scratch.take<Bf16Pair>(heads * size);   // dO as q_rows
  auto* const delta = scratch.take<float>(heads * query_tile);
  auto* const k = scratch.take<Bf16Pair>(bf16_key_tile * pairs);        // (dim/2, keys)
  auto* const v = scratch.take<Bf16Pair>(bf16_key_tile * pairs);        // (dim/2, keys)
  auto* const k_rows = scratch.take<Bf16Pair>(bf16_key_tile * pairs);   // (keys/2, dim)
  auto* const p = scratch.take<float>(row_block * bf16_key_tile);
  auto* const ds = scratch.take<float>(row_block * bf16_key_tile);
  auto* const p_rows = scratch.take<Bf16Pair>(query_tile * bf16_key_tile / 2);   // (rows/2, keys)
  auto* const ds_rows = scratch.take<Bf16Pair>(query_tile * bf16_key_tile / 2);  // (rows/2, keys)
  auto* const ds_cols = scratch.take<Bf16Pair>(query_tile * bf16_key_tile / 2);  // (rows, keys/2)
  auto const scale = static_cast<float>(shape.scale);
  for (Index h = 0; h < heads; ++h) {
    float const *const from_q = queries.q + h * dim, *const from_slope = slopes.d_o + h * dim;
    pair_columns(from_q, queries.stride, rows, dim, scale, q + h * size, pairs);
    pair_rows(from_q, queries.stride, rows, dim, q_rows + h * size, dim);
    pair_columns(from_slope, slopes.d_o_stride, rows, dim, 1.0f, slope + h * size, pairs);
    pair_rows(from_slope, slopes.d_o_stride, rows, dim, slope_rows + h * size, dim);
    for (Index i = 0; i < rows; ++i)
      delta[h * query_tile + i] = dot(from_slope + i * slopes.d_o_stride, slopes.o + i * slopes.o_stride + h * dim, dim);
  }
  Index const row_pairs = (rows + 1) / 2;
  Index const begin = queries.first_key(0, shape.window), end = queries.end_key(rows - 1);
  for (Index first = begin; first < end;) {
    KeyTile const tile(keys, first, end);
    Index const n = tile.keys;
    pair_columns_transposed(tile.k, keys.k_stride, n, dim, k, bf16_key_tile);
    pair_columns_transposed(tile.v, keys.v_stride, n, dim, v, bf16_key_tile);
    pair_rows(tile.k, keys.k_stride, n, dim, k_rows, dim);
    auto const to = grads(first);
    for (Index h = 0; h < heads; ++h) {
      for (Index block = 0; block < rows; block += row_block) {
        Index const some = std::min(row_block, rows - block);
        bf16_product({q + h * size + block * pairs, pairs, 1}, some, k, bf16_key_tile, n, pairs, false, p, bf16_key_tile);
        bf16_product({slope + h * size + block * pairs, pairs, 1}, some, v, bf16_key_tile, n, pairs, false, ds, bf16_key_tile);
        for (Index i = 0; i < some; ++i) {
          VisibleKeys const visible(queries, block + i, shape.window, first, n);
          recompute_row(p + i * bf16_key_tile, ds + i * bf16_key_tile, n, visible,
                        slopes.lse[(block + i) * slopes.lse_stride + h], delta[h * query_tile + block + i], scale);
        }
        Index const at = block / 2 * bf16_key_tile;
        pair_rows(p, bf16_key_tile, some, n, p_rows + at, bf16_key_tile);
        pair_rows(ds, bf16_key_tile, some, n, ds_rows + at, bf16_key_tile);
        pair_columns(ds, bf16_key_tile, some, n, 1.0f, ds_cols + at, bf16_key_tile / 2);
      }
      bf16_product({p_rows, 1, bf16_key_tile}, n, slope_rows + h * size, dim, dim, row_pairs, true, to.dv, to.dv_stride);
      bf16_product({ds_rows, 1, bf16_key_tile}, n, q_rows + h * size, dim, dim, row_pairs, true, to.dk, to.dk_stride);
      bf16_product({ds_cols, bf16_key_tile / 2, 1}, rows, k_rows, dim, dim, (n + 1) / 2, first != begin, slopes.dq + h * dim,
                   slopes.dq_stride);
    }
    first += n;
  }
}

#endif

}  // namespace graft::detail
