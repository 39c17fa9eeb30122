// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/concept.hpp>
#include <graft/nn/elementwise.hpp>
#include <graft/nn/linear.hpp>
#include <graft/nn/qkv.hpp>
#include <graft/nn/rms_norm.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace graft {

struct AttentionConfig {
  Index hidden_size = 0;
  AttentionShape shape;
  double norm_eps = 1e-6;    ///< of the query and key norms
  bool rope = true;
  bool qkv_bias = false;
  bool output_bias = false;
};

/// Where the tokens of a pass stand: packed sequences, with the rotation of each token.
template <Scalar T>
struct Positions {
  PackedSequences sequences;
  In<T> cos, sin;  ///< (T, D/2)
};

/// The tokens of one sequence that a cached pass adds: rows [begin, begin + rows) of the pass, in cache slot `slot`,
/// which then holds `length` tokens.
struct CacheEntry {
  Index slot = 0;
  Index begin = 0;
  Index rows = 0;
  Index length = 0;
};

/// Keys and values of one layer: `slots` sequences of up to `capacity` tokens, each (capacity, kv_heads·head_dim).
template <Scalar T>
struct CacheLayer {
  T* keys = nullptr;
  T* values = nullptr;
  Index capacity = 0;
};

/// Causal self-attention with grouped queries and, unless switched off, rotary positions:
///   q, k, v = x·Wqᵀ, x·Wkᵀ, x·Wvᵀ (+ biases);  q, k normalised per head if `QkNorm`;  q, k rotated;
///   o = softmax(scale·q·kᵀ)·v per head;  y = o·Woᵀ.
/// Sources: Vaswani et al. 2017; Su et al., "RoFormer", 2021; Ainslie et al., "GQA", 2023; Dao et al.,
/// "FlashAttention", 2022 (what is saved and what is made again).
/// `Qkv` is how q, k and v are made: nn/qkv.hpp.
template <Scalar T, class B, class A, bool QkNorm, class Qkv = SeparateQkv<T, B, A>>
class Attention {
 public:
  /// What backward needs: rotated q and k, v, the output of the heads and the log-sum-exp of each score row.
  struct Saved {
    Out<T> q, k, v, o, lse;
    Out<T> raw_q, raw_k;  ///< before norm and rotation; only with QkNorm
  };

  Attention(Builder<T, B, A>& builder, std::string const& name, AttentionConfig const& config)
      : config_(config),
        qkv_(builder, name, {config.hidden_size, width(config.shape.heads), width(config.shape.kv_heads), config.qkv_bias}),
        o_(builder, name + "." + Qkv::output_name, config.hidden_size, width(config.shape.heads), config.output_bias) {
    if constexpr (QkNorm) {
      q_norm_.emplace(builder, name + ".q_norm", config.shape.head_dim, config.norm_eps);
      k_norm_.emplace(builder, name + ".k_norm", config.shape.head_dim, config.norm_eps);
    }
  }

  [[nodiscard]] Saved take(Workspace<B>& workspace, Index tokens) const {
    Index const q_width = width(config_.shape.heads), kv_width = width(config_.shape.kv_heads);
    Saved saved;
    saved.q = workspace.template take<T>(tokens, q_width);
    saved.k = workspace.template take<T>(tokens, kv_width);
    saved.v = workspace.template take<T>(tokens, kv_width);
    saved.o = workspace.template take<T>(tokens, q_width);
    saved.lse = workspace.template take<T>(tokens, config_.shape.heads);
    if constexpr (QkNorm) {
      saved.raw_q = workspace.template take<T>(tokens, q_width);
      saved.raw_k = workspace.template take<T>(tokens, kv_width);
    }
    return saved;
  }

  void forward(Workspace<B>& workspace, In<T> x, Positions<T> const& positions, Saved const& saved, Out<T> y) {
    project(workspace, x, positions, saved);
    workspace.backend.attention_forward(In<T>(saved.q), In<T>(saved.k), In<T>(saved.v), config_.shape,
                                        positions.sequences, saved.o, saved.lse);
    o_.forward(workspace, saved.o, y);
  }

  /// dx += … unless it is empty.
  void backward(Workspace<B>& workspace, In<T> x, Positions<T> const& positions, Saved const& saved, In<T> dy, Out<T> dx) {
    auto scope = workspace.arena.scope();
    auto& backend = workspace.backend;
    Index const tokens = x.rows;
    auto const d_o = workspace.template take<T>(tokens, saved.o.cols);
    auto const dq = workspace.template take<T>(tokens, saved.q.cols);
    auto const dk = workspace.template take<T>(tokens, saved.k.cols);
    auto const dv = workspace.template take<T>(tokens, saved.v.cols);
    set_zero(backend, d_o);
    o_.backward(workspace, saved.o, dy, d_o);
    if (dx.empty() && !qkv_.trained() && !norms_trained()) return;
    backend.attention_backward(In<T>(saved.q), In<T>(saved.k), In<T>(saved.v), In<T>(saved.o), In<T>(saved.lse),
                               In<T>(d_o), config_.shape, positions.sequences, dq, dk, dv);
    rotate(backend, positions, dq, dk, true);
    if constexpr (QkNorm) {
      norm_backward(workspace, *q_norm_, saved.raw_q, dq);
      norm_backward(workspace, *k_norm_, saved.raw_k, dk);
    }
    qkv_.backward(workspace, x, dq, dk, dv, dx);
  }

  /// Forward over cached keys and values: appends the new tokens' to the cache and attends to all of it.
  void forward_cached(Workspace<B>& workspace, In<T> x, Positions<T> const& positions, CacheLayer<T> const& cache,
                      std::span<CacheEntry const> entries, Out<T> y) {
    auto scope = workspace.arena.scope();
    Saved const saved = take(workspace, x.rows);
    project(workspace, x, positions, saved);
    Index const kv_width = width(config_.shape.kv_heads);
    cached_.clear();
    for (auto const& entry : entries) {
      T* const keys = cache.keys + entry.slot * cache.capacity * kv_width;
      T* const values = cache.values + entry.slot * cache.capacity * kv_width;
      Index const old = (entry.length - entry.rows) * kv_width;
      workspace.backend.copy(In<T>(saved.k.rows_between(entry.begin, entry.begin + entry.rows)),
                             Out<T>(keys + old, entry.rows, kv_width));
      workspace.backend.copy(In<T>(saved.v.rows_between(entry.begin, entry.begin + entry.rows)),
                             Out<T>(values + old, entry.rows, kv_width));
      cached_.push_back({entry.begin, entry.rows, entry.length, keys, values});
    }
    workspace.backend.attention_cached(In<T>(saved.q), config_.shape, std::span<CachedSequence<T> const>(cached_), saved.o);
    o_.forward(workspace, saved.o, y);
  }

  void append(Params<T>& params) {
    qkv_.append(params);
    o_.append(params);
    if (q_norm_) q_norm_->append(params);
    if (k_norm_) k_norm_->append(params);
  }
  [[nodiscard]] bool trained() const {
    return qkv_.trained() || o_.trained() || norms_trained();
  }
  template <class F>
  void visit(F&& f) const {
    qkv_.visit(f);
    o_.visit(f);
    if (q_norm_) q_norm_->visit(f);
    if (k_norm_) k_norm_->visit(f);
  }
  template <class F>
  void visit_linears(F&& f) const {
    qkv_.visit_linears(f);
    f(o_);
  }

 private:
  [[nodiscard]] Index width(Index heads) const { return heads * config_.shape.head_dim; }
  [[nodiscard]] bool norms_trained() const { return q_norm_ && (q_norm_->trained() || k_norm_->trained()); }

  /// Fills saved.q, k, v (and raw_q, raw_k).
  void project(Workspace<B>& workspace, In<T> x, Positions<T> const& positions, Saved const& saved) {
    qkv_.forward(workspace, x, QkNorm ? saved.raw_q : saved.q, QkNorm ? saved.raw_k : saved.k, saved.v);
    if constexpr (QkNorm) {
      q_norm_->forward(workspace, by_head(saved.raw_q), by_head(saved.q));
      k_norm_->forward(workspace, by_head(saved.raw_k), by_head(saved.k));
    }
    rotate(workspace.backend, positions, saved.q, saved.k, false);
  }
  void rotate(B& backend, Positions<T> const& positions, Out<T> q, Out<T> k, bool inverse) const {
    if (!config_.rope) return;
    backend.rope(q, config_.shape.heads, positions.cos, positions.sin, inverse);
    backend.rope(k, config_.shape.kv_heads, positions.cos, positions.sin, inverse);
  }
  /// (T, H·D) as (T·H, D).
  [[nodiscard]] Out<T> by_head(Out<T> x) const {
    return x.reshaped(x.rows * (x.cols / config_.shape.head_dim), config_.shape.head_dim);
  }
  /// Replaces d by its gradient before the norm.
  void norm_backward(Workspace<B>& workspace, RmsNorm<T, B> const& norm, Out<T> raw, Out<T> d) const {
    auto scope = workspace.arena.scope();
    auto const before = workspace.template take<T>(d.rows, d.cols);
    set_zero(workspace.backend, before);
    norm.backward(workspace, by_head(raw), by_head(d), by_head(before));
    workspace.backend.copy(In<T>(before), d);
  }

  AttentionConfig config_;
  Qkv qkv_;
  Linear<T, B, A> o_;
  std::optional<RmsNorm<T, B>> q_norm_, k_norm_;
  std::vector<CachedSequence<T>> cached_;
};

}  // namespace graft
