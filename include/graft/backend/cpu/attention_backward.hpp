// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/attention_bf16.hpp>
#include <graft/backend/cpu/attention_forward.hpp>
#include <graft/backend/cpu/elementwise.hpp>
#include <graft/backend/precision.hpp>

namespace graft::detail {

/// A task is one key/value head of one family of sequences, with all query heads that read it: so dk and dv have one writer.
/// Where that makes few tasks (few, long sequences), a task is one query head instead, with dk and dv of its own that are
/// added up at the end.
/// Scores are recomputed tile by tile; with P = e^(S - lse) and D = rowsum(dO∘O):
///   dV += Pᵀ·dO,  dS = P∘(dO·Vᵀ - D),  dQ += scale·dS·K,  dK += scale·dSᵀ·Q    (Dao et al., 2022, algorithm 4)
template <class Derived>
struct CpuAttentionBackward {
  template <Scalar T>
  void attention_backward(InArg<T> q, InArg<T> k, InArg<T> v, InArg<T> o, InArg<T> lse, InArg<T> d_o,
                          AttentionShape shape, PackedSequences const& packed, Out<T> dq,
                          std::type_identity_t<Out<T>> dk, std::type_identity_t<Out<T>> dv) {
    assert(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0);
    assert(q.cols == shape.heads * shape.head_dim && k.cols == shape.kv_heads * shape.head_dim && v.cols == k.cols);
    assert(dq.cols == q.cols && dk.cols == k.cols && dv.cols == v.cols && lse.cols == shape.heads);
    Index const sequences = packed.size(), group = shape.heads / shape.kv_heads;
    if (sequences == 0) return;
    auto& self = *static_cast<Derived*>(this);
    Index families = 0;
    for (Index s = 0; s < sequences; s = packed.family_end(s)) ++families;
    bool const split = group > 1 && families * shape.kv_heads < few_tasks;
    Index const heads_per_task = split ? 1 : group, tasks_per_family = shape.heads / heads_per_task;
    Scratch shared = self.workspace().shared(scratch_bytes<Index>(families) + (split ? 2 * scratch_bytes<T>(q.size()) : 0));
    Index* const heads = shared.take<Index>(families);
    for (Index s = 0, f = 0; s < sequences; s = packed.family_end(s)) heads[f++] = s;
    Out<T> const own_dk(split ? shared.take<T>(q.size()) : nullptr, q.rows, q.cols);
    Out<T> const own_dv(split ? shared.take<T>(q.size()) : nullptr, q.rows, q.cols);
    Operands<T> const all{q, k, v, o, lse, d_o, dq, split ? own_dk : dk, split ? own_dv : dv};
    bool const in_bf16 = std::is_same_v<T, float> && self.precision() != Precision::f32 && attends_in_bf16(shape.head_dim);
    auto const scratch = self.workspace().per_thread(in_bf16 ? attend_backward_bf16_bytes(heads_per_task, shape.head_dim)
                                                             : 2 * attend_bytes<T>());
    parallel_for(families * tasks_per_family, [&](Index task) {
      Index const first = heads[task / tasks_per_family], last = packed.family_end(first);
      Index const part = task % tasks_per_family, column = part * shape.head_dim;
      clear(all.dk, all.dv, column, shape.head_dim, packed.begin(first), packed.end(last - 1));
      Index const head = part * heads_per_task, step = in_bf16 ? heads_per_task : 1;
      for (Index h = head; h < head + heads_per_task; h += step)
        for (Index s = first; s < last; ++s)
          for (Index row = packed.begin(s); row < packed.end(s); row += query_tile) {
            Place const sequence{packed.begin(s), packed.begin(first), packed.prefix(s)};
            Index const rows = std::min(query_tile, packed.end(s) - row);
            if (in_bf16)
              backward_tile_bf16(all, shape, sequence, row, rows, h, step, column, scratch.mine());
            else
              backward_tile(self, all, shape, sequence, row, rows, h, column, scratch.mine());
          }
    });
    if (split) {
      add_groups(In<T>(own_dk), group, shape.head_dim, packed.cu_seqlens, dk);
      add_groups(In<T>(own_dv), group, shape.head_dim, packed.cu_seqlens, dv);
    }
  }

 private:
  static constexpr Index few_tasks = 16;

  /// Where the tokens of a sequence lie: the first `prefix` from row `head` on, the others from row `begin` on.
  struct Place {
    Index begin, head, prefix;
    [[nodiscard]] Index row_of(Index token) const { return token < prefix ? head + token : begin + token - prefix; }
  };

  template <class T>
  struct Operands {
    In<T> q, k, v, o, lse, d_o;
    Out<T> dq, dk, dv;
  };

  template <class T>
  static void clear(Out<T> dk, Out<T> dv, Index column, Index n, Index begin, Index end) {
    for (Index t = begin; t < end; ++t) {
      std::fill_n(dk.row(t) + column, n, T{0});
      std::fill_n(dv.row(t) + column, n, T{0});
    }
  }

  /// kv[t, head] = Σ over the query heads of its group of own[t, query head].
  template <class T>
  static void add_groups(In<T> own, Index group, Index dim, std::span<std::int32_t const> cu, Out<T> kv) {
    Out<T> const rows = kv.rows_between(cu.front(), cu.back());
    parallel_row_blocks(rows.rows, own.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t)
        for (Index head = 0; head < rows.cols / dim; ++head) {
          T* const sum = rows.row(t) + head * dim;
          T const* part = own.row(cu.front() + t) + head * group * dim;
          std::copy_n(part, dim, sum);
          for (Index g = 1; g < group; ++g) {
            part += dim;
            GRAFT_SIMD
            for (Index d = 0; d < dim; ++d) sum[d] += part[d];
          }
        }
    });
  }

  /// The query rows t … t + rows - 1 of one head against all keys that they see; dk and dv go to column `to`.
  template <class T>
  static void backward_tile(Derived& self, Operands<T> const& all, AttentionShape const& shape, Place sequence, Index t,
                            Index rows, Index head, Index to, Scratch scratch) {
    Index const dim = shape.head_dim, column = head * dim, kv = head / (shape.heads / shape.kv_heads) * dim;
    QueryRows<T> const queries{all.q.row(t) + column, all.q.stride, rows, sequence.prefix + t - sequence.begin, 1};
    T* const p = scratch.take<T>(query_tile * key_tile);
    T* const ds = scratch.take<T>(query_tile * key_tile);
    T const* const slope = all.d_o.row(t) + column;
    T delta[query_tile];
    for (Index i = 0; i < rows; ++i) delta[i] = dot(slope + i * all.d_o.stride, all.o.row(t + i) + column, dim);

    auto const scale = static_cast<T>(shape.scale);
    Index const begin = queries.first_key(0, shape.window), end = queries.end_key(rows - 1);
    for (Index first = begin, n = 0; first < end; first += n) {
      n = tile_keys(first, sequence.prefix, end);
      Index const key = sequence.row_of(first);
      self.tile_gemm(Op::none, Op::transpose, rows, n, dim, scale, queries.q, queries.stride, all.k.row(key) + kv,
                     all.k.stride, T{0}, p, key_tile);
      self.tile_gemm(Op::none, Op::transpose, rows, n, dim, T{1}, slope, all.d_o.stride, all.v.row(key) + kv,
                     all.v.stride, T{0}, ds, key_tile);
      for (Index i = 0; i < rows; ++i) {
        VisibleKeys const visible(queries, i, shape.window, first, n);
        recompute_row(p + i * key_tile, ds + i * key_tile, n, visible, all.lse.row(t + i)[head], delta[i], scale);
      }
      T const *const p_read = p, *const ds_read = ds;
      self.tile_gemm(Op::transpose, Op::none, n, dim, rows, T{1}, p_read, key_tile, slope, all.d_o.stride, T{1},
                     all.dv.row(key) + to, all.dv.stride);
      self.tile_gemm(Op::transpose, Op::none, n, dim, rows, T{1}, ds_read, key_tile, queries.q, queries.stride, T{1},
                     all.dk.row(key) + to, all.dk.stride);
      self.tile_gemm(Op::none, Op::none, rows, dim, n, T{1}, ds_read, key_tile, all.k.row(key) + kv, all.k.stride,
                     first == begin ? T{0} : T{1}, all.dq.row(t) + column, all.dq.stride);
    }
  }

  /// The same for `heads` heads that read the same keys, with products of bf16.
  template <class T>
  static void backward_tile_bf16([[maybe_unused]] Operands<T> const& all, [[maybe_unused]] AttentionShape const& shape,
                                 [[maybe_unused]] Place sequence, [[maybe_unused]] Index t, [[maybe_unused]] Index rows,
                                 [[maybe_unused]] Index head, [[maybe_unused]] Index heads, [[maybe_unused]] Index to,
                                 [[maybe_unused]] Scratch scratch) {
#if GRAFT_HAS_BF16_LANES
    if constexpr (std::is_same_v<T, float>) {
      Index const column = head * shape.head_dim, kv = head / (shape.heads / shape.kv_heads) * shape.head_dim;
      QueryRows<T> const queries{all.q.row(t) + column, all.q.stride, rows, sequence.prefix + t - sequence.begin, 1};
      KeyRows<T> const keys{all.k.row(sequence.begin) + kv, all.v.row(sequence.begin) + kv, all.k.stride, all.v.stride,
                            all.k.row(sequence.head) + kv,  all.v.row(sequence.head) + kv,  sequence.prefix};
      SlopeRows const slopes{all.d_o.row(t) + column, all.o.row(t) + column, all.lse.row(t) + head, all.dq.row(t) + column,
                             all.d_o.stride,          all.o.stride,          all.lse.stride,        all.dq.stride};
      attend_backward_bf16(queries, slopes, heads, keys, shape, scratch, [&](Index first) {
        Index const key = sequence.row_of(first);
        return KeyGrads{all.dk.row(key) + to, all.dv.row(key) + to, all.dk.stride, all.dv.stride};
      });
    }
#endif
  }
};

}  // namespace graft::detail
