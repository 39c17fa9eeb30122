// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/packed_sequences.hpp>
#include <graft/core/rng.hpp>
#include <graft/core/view.hpp>
#include <graft/quant/storage.hpp>

#include <concepts>
#include <cstdint>
#include <span>

namespace graft {

enum class Op : bool { none, transpose };

/// What one attention layer computes. Query head h reads key/value head h / (heads / kv_heads).
struct AttentionShape {
  Index heads = 0;
  Index kv_heads = 0;
  Index head_dim = 0;
  double scale = 0;  ///< factor of q·k
  Index window = 0;  ///< a query sees its last `window` keys, itself included; 0: all
};

/// One sequence of an attention over cached keys: query rows [q_begin, q_begin + q_rows) are its last tokens, and row i
/// sees the keys 0 … length - q_rows + i. `keys` and `values` are (length, kv_heads·head_dim), rows contiguous.
template <Scalar T>
struct CachedSequence {
  Index q_begin = 0;
  Index q_rows = 0;
  Index length = 0;
  T const* keys = nullptr;
  T const* values = nullptr;
};

/// Running softmax statistics of N tokens over the vocabulary panels seen so far, all arrays of N in backend memory.
/// With l the logits seen: max = max l, sum = Σ exp(l - max), weighted = Σ exp(l - max)·l, total = Σ l,
/// target = the logit of the token's target, rescale = exp(old max - new max) of the last panel,
/// squares = Σ exp(2·(l - max)), which is kept only where there is memory for it.
template <Scalar T>
struct SoftmaxState {
  T* max = nullptr;
  T* sum = nullptr;
  T* weighted = nullptr;
  T* total = nullptr;
  T* target = nullptr;
  T* rescale = nullptr;
  Index tokens = 0;
  T* squares = nullptr;
};

enum class Activation : std::uint8_t { silu, gelu_tanh };

/// Memory: a backend owns what it allocates; nobody else dereferences it. `Memory` frees itself.
/// Uploads and downloads are complete on return; everything else may be asynchronous until `synchronize()`.
template <class B>
concept MemoryBackend = requires(B& b, std::size_t bytes, void* device, void const* host) {
  typename B::Memory;
  { b.allocate(bytes) } -> std::same_as<typename B::Memory>;
  { b.allocate(bytes).data() } -> std::same_as<void*>;
  { b.upload(host, device, bytes) } -> std::same_as<void>;
  { b.download(static_cast<void const*>(device), device, bytes) } -> std::same_as<void>;
  { b.zero(device, bytes) } -> std::same_as<void>;
  { b.synchronize() } -> std::same_as<void>;
};

/// Products. Shapes: x (T, in), w (out, in) in any storage, y (T, out).
///   gemm:                  c = alpha·op(a)·op(b) + beta·c;  beta = 0 never reads c
///   linear_forward:        y = x·wᵀ
///   linear_backward_input: dx += dy·w
template <class B, class T>
concept MatmulBackend = requires(B& b, T s, In<T> x, StoredMatrix w, Out<T> y) {
  { b.gemm(Op::none, Op::transpose, s, x, x, s, y) } -> std::same_as<void>;
  { b.linear_forward(x, w, y) } -> std::same_as<void>;
  { b.linear_backward_input(x, w, y) } -> std::same_as<void>;
};

/// Elementwise and row operations. All matrices are contiguous unless said otherwise.
///   map(n, f, p...)         f(p[i]...) for i in [0, n); f is a GRAFT_HOST_DEVICE functor, pointers in backend memory
///   copy                    y = x, any strides
///   add_bias                y[t] += bias;  sum_rows: bias[0] += Σ_t dy[t];  scale_rows: y[t] *= factor[t]
///   sum_of_squares          Σ x², in double, the same for any number of threads; returns when known
///   dropout                 y = x·mask/(1-p) (+ y when `accumulate`), mask[i] = word(i) of the stream ≥ p·2³²
///   rms_norm_forward        y = x·gain / sqrt(mean(x²) + eps), row by row; gain (1, C)
///   rms_norm_backward       dx += …; dgain += … when dgain is not empty
///   layer_norm_forward      y = (x - mean)·gain / sqrt(var + eps) + bias;  layer_norm_backward: dx, dgain, dbias +=
///   gated_forward           h = act(gate)·up;  gated_backward: dgate and dup are overwritten, each may alias dh's,
///                           gate's or up's memory element by element; an empty up stands for 1, and dup is empty with it
///   rope_tables             cos, sin (T, D/2) of position·inverse_frequency, times `factor`
///   rope                    rotates the pairs (i, i + D/2) of each of n heads in x (T, n·D) in place; `inverse` takes the
///                           transposed rotation, which is what backward needs
///   embedding_forward       x[t] = scale·table[ids[t]];  embedding_backward: dtable[ids[t]] += scale·dx[t]
template <class B, class T>
concept RowBackend = requires(B& b, Index n, T s, T* p, std::int32_t const* ids, In<T> x, Out<T> y, StoredMatrix w,
                              Philox random, std::span<double const> frequencies, Activation act, bool flag) {
  { b.map(n, [](T&, T&) {}, p, p) } -> std::same_as<void>;
  { b.copy(x, y) } -> std::same_as<void>;
  { b.add_bias(x, y) } -> std::same_as<void>;
  { b.sum_rows(x, y) } -> std::same_as<void>;
  { b.scale_rows(static_cast<T const*>(p), y) } -> std::same_as<void>;
  { b.sum_of_squares(x) } -> std::same_as<double>;
  { b.dropout(x, s, random, flag, y) } -> std::same_as<void>;
  { b.rms_norm_forward(x, x, s, y) } -> std::same_as<void>;
  { b.rms_norm_backward(x, x, s, x, y, y) } -> std::same_as<void>;
  { b.layer_norm_forward(x, x, x, s, y) } -> std::same_as<void>;
  { b.layer_norm_backward(x, x, s, x, y, y, y) } -> std::same_as<void>;
  { b.gated_forward(act, x, x, y) } -> std::same_as<void>;
  { b.gated_backward(act, x, x, x, y, y) } -> std::same_as<void>;
  { b.rope_tables(ids, frequencies, s, y, y) } -> std::same_as<void>;
  { b.rope(y, n, x, x, flag) } -> std::same_as<void>;
  { b.embedding_forward(ids, w, s, y) } -> std::same_as<void>;
  { b.embedding_backward(ids, x, s, y) } -> std::same_as<void>;
};

/// Attention over packed sequences: a token sees its own sequence, causally, the tokens that this shares with its head included.
///   attention_forward   o = softmax(scale·q·kᵀ + mask)·v,  lse (T, heads) = log-sum-exp of each row
///   attention_backward  dq, dk, dv are overwritten
///   attention_cached    the same over key/value caches, forward only
template <class B, class T>
concept AttentionBackend = requires(B& b, In<T> x, Out<T> y, AttentionShape shape, PackedSequences packed,
                                    std::span<CachedSequence<T> const> cached) {
  { b.attention_forward(x, x, x, shape, packed, y, y) } -> std::same_as<void>;
  { b.attention_backward(x, x, x, x, x, x, shape, packed, y, y, y) } -> std::same_as<void>;
  { b.attention_cached(x, shape, cached, y) } -> std::same_as<void>;
};

/// The language-model head by vocabulary panels; `panel` (N, v) holds the logits of the words first … first + v - 1.
///   softmax_panel           folds the panel into the state and replaces it by exp(l - max); the panel with first = 0 comes
///                           first and starts the state
///   softmax_panel_weighted  weighted[i] = panel[i]·l, from the panel that softmax_panel left
///   token_stats             stats (N, 4) = target_logprob, logsumexp, mean_logit, entropy, over `vocabulary` words; (N, 5) where the
///                           state has squares, with log_sum_sq_probs = log Σ p²
///   softmax_panel_backward  replaces logits by d loss/d logits for grad (N, 4), the gradient with respect to stats
template <class B, class T>
concept HeadBackend = requires(B& b, Index n, std::int32_t const* ids, In<T> x, Out<T> y, SoftmaxState<T> state) {
  { b.softmax_panel(y, ids, n, state) } -> std::same_as<void>;
  { b.softmax_panel_weighted(x, state, y) } -> std::same_as<void>;
  { b.token_stats(state, n, y) } -> std::same_as<void>;
  { b.softmax_panel_backward(y, ids, n, n, state, x) } -> std::same_as<void>;
};

/// Where arithmetic runs. Models: `Reference` (naive, the oracle), `EigenBackend` (default), `OneDnn`.
/// Results must not depend on the number of threads. No operation may alias inputs and outputs unless said.
template <class B, class T>
concept Backend = Scalar<T> && MemoryBackend<B> && MatmulBackend<B, T> && RowBackend<B, T> && AttentionBackend<B, T> &&
                  HeadBackend<B, T> && requires(B const& b) {
                    { B::name() } -> std::convertible_to<char const*>;
                  };

}  // namespace graft
