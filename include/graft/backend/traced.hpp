// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/backend/dry.hpp>

#include <chrono>
#include <compare>
#include <map>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace graft {

/// What one operation of one shape cost in all its calls. Products have c (rows, cols) and `inner` summands; attention has
/// rows = tokens, cols = heads·D and inner = number of sequences; the others have inner = 0.
struct TracedOperation {
  std::string_view name;  ///< of the backend's function
  Index rows = 0;
  Index cols = 0;
  Index inner = 0;
  Index calls = 0;
  double seconds = 0;
  double flops = 0;  ///< as `Dry` counts them: products and attention only
  double bytes = 0;  ///< of every operand once, weights as they are stored: the least that memory must move
};

/// A backend that runs another one and measures each of its calls.
///   Traced backend{CpuBackend()};
///   … a step of a model on `backend` …
///   for (TracedOperation const& operation : backend.operations()) …
/// Each call is waited for, so an asynchronous backend runs one operation at a time here. Costs under a microsecond a call.
template <MemoryBackend B>
class Traced {
 public:
  static constexpr bool reads_host_memory = requires { requires B::reads_host_memory; };
  static constexpr char const* name() { return "traced"; }
  using Memory = typename B::Memory;

  Traced() = default;
  explicit Traced(B inner) : inner_(std::move(inner)) {}

  [[nodiscard]] B& inner() { return inner_; }
  /// The operations that ran since `reset`, ordered by name and shape.
  [[nodiscard]] std::vector<TracedOperation> operations() const {
    std::vector<TracedOperation> list;
    for (auto const& entry : operations_) list.push_back(entry.second);
    return list;
  }
  void reset() { operations_.clear(); }

  Memory allocate(std::size_t bytes) { return inner_.allocate(bytes); }
  void upload(void const* host, void* device, std::size_t bytes) { inner_.upload(host, device, bytes); }
  void download(void const* device, void* host, std::size_t bytes) { inner_.download(device, host, bytes); }
  void zero(void* device, std::size_t bytes) {
    auto const size = static_cast<Index>(bytes);
    run({"zero", 1, size, 0}, static_cast<double>(bytes), [&](auto& b) { b.zero(device, bytes); });
  }
  void synchronize() { inner_.synchronize(); }

  template <class T>
  void gemm(Op op_a, Op op_b, ValueArg<T> alpha, InArg<T> a, InArg<T> b, ValueArg<T> beta, Out<T> c) {
    run({"gemm", c.rows, c.cols, op_a == Op::none ? a.cols : a.rows}, bytes(a, b, c),
        [&](auto& backend) { backend.gemm(op_a, op_b, alpha, a, b, beta, c); });
  }
  template <class T>
  void linear_forward(InArg<T> x, StoredMatrix w, Out<T> y) {
    run({"linear_forward", y.rows, w.rows, w.cols}, bytes(x, w, y), [&](auto& b) { b.linear_forward(x, w, y); });
  }
  template <class T>
  void linear_backward_input(InArg<T> dy, StoredMatrix w, Out<T> dx) {
    run({"linear_backward_input", dy.rows, w.cols, w.rows}, bytes(dy, w, dx, dx),
        [&](auto& b) { b.linear_backward_input(dy, w, dx); });
  }

  template <class F, class... P>
  void map(Index n, F const& f, P*... p) {
    run({"map", 1, n, 0}, static_cast<double>(n) * static_cast<double>((sizeof(P) + ... + 0)), [&](auto& b) { b.map(n, f, p...); });
  }
  template <class T>
  void copy(InArg<T> x, Out<T> y) {
    run(shape("copy", y), bytes(x, y), [&](auto& b) { b.copy(x, y); });
  }
  template <class T>
  void add_bias(InArg<T> bias, Out<T> y) {
    run(shape("add_bias", y), bytes(y, y), [&](auto& b) { b.add_bias(bias, y); });
  }
  template <class T>
  void sum_rows(InArg<T> dy, Out<T> sum) {
    run(shape("sum_rows", dy), bytes(dy, sum), [&](auto& b) { b.sum_rows(dy, sum); });
  }
  template <class T>
  void scale_rows(PointerArg<T> factor, Out<T> y) {
    run(shape("scale_rows", y), bytes(y, y), [&](auto& b) { b.scale_rows(factor, y); });
  }
  template <class T>
  double sum_of_squares(In<T> x) {
    double sum = 0;
    run(shape("sum_of_squares", x), bytes(x), [&](auto& b) {
      double const value = b.sum_of_squares(x);
      if constexpr (!std::is_same_v<decltype(b), Dry&>) sum = value;
    });
    return sum;
  }
  template <class T>
  void dropout(InArg<T> x, ValueArg<T> p, Philox random, bool accumulate, Out<T> y) {
    run(shape("dropout", y), bytes(x, y), [&](auto& b) { b.dropout(x, p, random, accumulate, y); });
  }
  template <class T>
  void rms_norm_forward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, Out<T> y) {
    run(shape("rms_norm_forward", y), bytes(x, gain, y), [&](auto& b) { b.rms_norm_forward(x, gain, eps, y); });
  }
  template <class T>
  void rms_norm_backward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, InArg<T> dy, Out<T> dx, Out<T> dgain) {
    run(shape("rms_norm_backward", dx), bytes(x, gain, dy, dx, dx, dgain),
        [&](auto& b) { b.rms_norm_backward(x, gain, eps, dy, dx, dgain); });
  }
  template <class T>
  void layer_norm_forward(InArg<T> x, InArg<T> gain, InArg<T> bias, ValueArg<T> eps, Out<T> y) {
    run(shape("layer_norm_forward", y), bytes(x, gain, bias, y), [&](auto& b) { b.layer_norm_forward(x, gain, bias, eps, y); });
  }
  template <class T>
  void layer_norm_backward(InArg<T> x, InArg<T> gain, ValueArg<T> eps, InArg<T> dy, Out<T> dx, Out<T> dgain, Out<T> dbias) {
    run(shape("layer_norm_backward", dx), bytes(x, gain, dy, dx, dx, dgain, dbias),
        [&](auto& b) { b.layer_norm_backward(x, gain, eps, dy, dx, dgain, dbias); });
  }
  template <class T>
  void gated_forward(Activation act, InArg<T> gate, InArg<T> up, Out<T> h) {
    run(shape("gated_forward", h), bytes(gate, up, h), [&](auto& b) { b.gated_forward(act, gate, up, h); });
  }
  template <class T>
  void gated_backward(Activation act, InArg<T> gate, InArg<T> up, InArg<T> dh, Out<T> dgate, Out<T> dup) {
    run(shape("gated_backward", dgate), bytes(gate, up, dh, dgate, dup),
        [&](auto& b) { b.gated_backward(act, gate, up, dh, dgate, dup); });
  }
  template <class T>
  void rope_tables(std::int32_t const* positions, std::span<double const> frequencies, ValueArg<T> factor, Out<T> cos, Out<T> sin) {
    run(shape("rope_tables", cos), bytes(cos, sin), [&](auto& b) { b.rope_tables(positions, frequencies, factor, cos, sin); });
  }
  template <class T>
  void rope(Out<T> x, Index heads, InArg<T> cos, InArg<T> sin, bool inverse) {
    run(shape("rope", x), bytes(x, x, cos, sin), [&](auto& b) { b.rope(x, heads, cos, sin, inverse); });
  }
  template <class T>
  void embedding_forward(std::int32_t const* ids, StoredMatrix table, ValueArg<T> scale, Out<T> x) {
    run(shape("embedding_forward", x), bytes(x, x), [&](auto& b) { b.embedding_forward(ids, table, scale, x); });
  }
  template <class T>
  void embedding_backward(std::int32_t const* ids, InArg<T> dx, ValueArg<T> scale, Out<T> dtable) {
    run(shape("embedding_backward", dx), bytes(dx, dx, dx), [&](auto& b) { b.embedding_backward(ids, dx, scale, dtable); });
  }

  template <class T>
  void attention_forward(InArg<T> q, InArg<T> k, InArg<T> v, AttentionShape at, PackedSequences const& packed, Out<T> o,
                         Out<T> lse) {
    run({"attention_forward", q.rows, q.cols, packed.size()}, bytes(q, k, v, o, lse),
        [&](auto& b) { b.attention_forward(q, k, v, at, packed, o, lse); });
  }
  template <class T>
  void attention_backward(InArg<T> q, InArg<T> k, InArg<T> v, InArg<T> o, InArg<T> lse, InArg<T> d_o, AttentionShape at,
                          PackedSequences const& packed, Out<T> dq, Out<T> dk, Out<T> dv) {
    run({"attention_backward", q.rows, q.cols, packed.size()}, bytes(q, k, v, o, lse, d_o, dq, dk, dv),
        [&](auto& b) { b.attention_backward(q, k, v, o, lse, d_o, at, packed, dq, dk, dv); });
  }
  template <class T>
  void attention_cached(InArg<T> q, AttentionShape at, std::span<CachedSequence<T> const> cached, Out<T> o) {
    double cache = 0;
    for (auto const& one : cached) cache += static_cast<double>(2 * one.length * at.kv_heads * at.head_dim) * sizeof(T);
    run({"attention_cached", q.rows, q.cols, static_cast<Index>(cached.size())}, bytes(q, o) + cache,
        [&](auto& b) { b.attention_cached(q, at, cached, o); });
  }

  template <class T>
  void softmax_panel(Out<T> panel, std::int32_t const* targets, Index first, SoftmaxState<T> state) {
    run(shape("softmax_panel", panel), bytes(panel, panel), [&](auto& b) { b.softmax_panel(panel, targets, first, state); });
  }
  template <class T>
  void softmax_panel_weighted(InArg<T> panel, SoftmaxState<T> state, Out<T> weighted) {
    run(shape("softmax_panel_weighted", panel), bytes(panel, weighted),
        [&](auto& b) { b.softmax_panel_weighted(panel, state, weighted); });
  }
  template <class T>
  void token_stats(SoftmaxState<T> state, Index vocabulary, Out<T> stats) {
    run(shape("token_stats", stats), bytes(stats, stats), [&](auto& b) { b.token_stats(state, vocabulary, stats); });
  }
  template <class T>
  void softmax_panel_backward(Out<T> panel, std::int32_t const* targets, Index first, Index vocabulary, SoftmaxState<T> state,
                              InArg<T> grad) {
    run(shape("softmax_panel_backward", panel), bytes(panel, panel, grad),
        [&](auto& b) { b.softmax_panel_backward(panel, targets, first, vocabulary, state, grad); });
  }

 private:
  struct Key {
    std::string_view name;
    Index rows = 0, cols = 0, inner = 0;
    auto operator<=>(Key const&) const = default;
  };

  template <class V>
  static Key shape(std::string_view name, V const& view) {
    return {name, view.rows, view.cols, 0};
  }
  template <class T>
  static double bytes_of(MatrixView<T> const& view) {
    return static_cast<double>(view.size()) * sizeof(T);
  }
  static double bytes_of(StoredMatrix const& w) { return static_cast<double>(w.rows) * static_cast<double>(row_bytes(w.storage, w.cols)); }
  template <class... V>
  static double bytes(V const&... views) {
    return (bytes_of(views) + ...);
  }

  /// Runs `call` on the backend under the clock, and on `Dry` for its FLOPs.
  template <class Call>
  void run(Key const& key, double bytes, Call const& call) {
    using Clock = std::chrono::steady_clock;
    auto const start = Clock::now();
    call(inner_);
    inner_.synchronize();
    double const seconds = std::chrono::duration<double>(Clock::now() - start).count();
    dry_.reset();
    call(dry_);
    auto& operation = operations_.try_emplace(key, TracedOperation{key.name, key.rows, key.cols, key.inner}).first->second;
    ++operation.calls;
    operation.seconds += seconds;
    operation.flops += dry_.flops();
    operation.bytes += bytes;
  }

  B inner_;
  Dry dry_;
  std::map<Key, TracedOperation> operations_;
};

}  // namespace graft
