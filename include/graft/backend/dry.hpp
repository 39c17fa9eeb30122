// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>

#include <algorithm>
#include <cstdint>

namespace graft {

/// A backend that computes nothing and owns nothing: it counts. A model built on it and run once tells what a step of
/// that shape needs, by the very code that will run: the arena's peak, and the FLOPs of products and attention.
/// One multiply-add is two FLOPs; causal attention counts the pairs that are not masked.
class Dry {
 public:
  static constexpr bool reads_host_memory = true;
  static constexpr bool computes_nothing = true;
  static constexpr char const* name() { return "dry"; }

  /// No memory at a made-up, aligned address: views of it may be cut, never read.
  class Memory {
   public:
    [[nodiscard]] void* data() const { return reinterpret_cast<void*>(std::uintptr_t{1} << 20); }
  };

  [[nodiscard]] double flops() const { return flops_; }
  void reset() { flops_ = 0; }

  Memory allocate(std::size_t) { return {}; }
  void upload(void const*, void*, std::size_t) {}
  void download(void const*, void* host, std::size_t bytes) { std::fill_n(static_cast<char*>(host), bytes, '\0'); }
  void zero(void*, std::size_t) {}
  void synchronize() {}

  template <class T>
  void gemm(Op a_op, Op, ValueArg<T>, InArg<T> a, InArg<T>, ValueArg<T>, Out<T> c) {
    Index const inner = a_op == Op::none ? a.cols : a.rows;
    count(c.rows, c.cols, inner);
  }
  template <class T>
  void linear_forward(InArg<T>, StoredMatrix w, Out<T> y) {
    count(y.rows, w.rows, w.cols);
  }
  template <class T>
  void linear_backward_input(InArg<T> dy, StoredMatrix w, Out<T>) {
    count(dy.rows, w.rows, w.cols);
  }

  template <class F, class... P>
  void map(Index, F const&, P*...) {}
  template <class T>
  void copy(InArg<T>, Out<T>) {}
  template <class T>
  void add_bias(InArg<T>, Out<T>) {}
  template <class T>
  void sum_rows(InArg<T>, Out<T>) {}
  template <class T>
  void scale_rows(PointerArg<T>, Out<T>) {}
  template <class T>
  double sum_of_squares(In<T>) {
    return 0;
  }
  template <class T>
  void dropout(InArg<T>, ValueArg<T>, Philox, bool, Out<T>) {}
  template <class T>
  void rms_norm_forward(InArg<T>, InArg<T>, ValueArg<T>, Out<T>) {}
  template <class T>
  void rms_norm_backward(InArg<T>, InArg<T>, ValueArg<T>, InArg<T>, Out<T>, Out<T>) {}
  template <class T>
  void layer_norm_forward(InArg<T>, InArg<T>, InArg<T>, ValueArg<T>, Out<T>) {}
  template <class T>
  void layer_norm_backward(InArg<T>, InArg<T>, ValueArg<T>, InArg<T>, Out<T>, Out<T>, Out<T>) {}
  template <class T>
  void gated_forward(Activation, InArg<T>, InArg<T>, Out<T>) {}
  template <class T>
  void gated_backward(Activation, InArg<T>, InArg<T>, InArg<T>, Out<T>, Out<T>) {}
  template <class T>
  void rope_tables(std::int32_t const*, std::span<double const>, ValueArg<T>, Out<T>, Out<T>) {}
  template <class T>
  void rope(Out<T>, Index, InArg<T>, InArg<T>, bool) {}
  template <class T>
  void embedding_forward(std::int32_t const*, StoredMatrix, ValueArg<T>, Out<T>) {}
  template <class T>
  void embedding_backward(std::int32_t const*, InArg<T>, ValueArg<T>, Out<T>) {}

  template <class T>
  void attention_forward(InArg<T>, InArg<T>, InArg<T>, AttentionShape shape, PackedSequences const& packed, Out<T>,
                         Out<T>) {
    count_attention(shape, packed, 2);
  }
  template <class T>
  void attention_backward(InArg<T>, InArg<T>, InArg<T>, InArg<T>, InArg<T>, InArg<T>, AttentionShape shape,
                          PackedSequences const& packed, Out<T>, Out<T>, Out<T>) {
    count_attention(shape, packed, 5);  // scores again, dP, dV, dQ, dK
  }
  template <class T>
  void attention_cached(InArg<T>, AttentionShape shape, std::span<CachedSequence<T> const> sequences, Out<T>) {
    for (auto const& sequence : sequences) {
      Index const first = sequence.length - sequence.q_rows;
      count_pairs(shape, pairs(sequence.length, shape.window) - pairs(first, shape.window), 2);
    }
  }

  template <class T>
  void softmax_panel(Out<T>, std::int32_t const*, Index, SoftmaxState<T>) {}
  template <class T>
  void softmax_panel_weighted(InArg<T>, SoftmaxState<T>, Out<T>) {}
  template <class T>
  void token_stats(SoftmaxState<T>, Index, Out<T>) {}
  template <class T>
  void softmax_panel_backward(Out<T>, std::int32_t const*, Index, Index, SoftmaxState<T>, InArg<T>) {}

 private:
  void count(Index rows, Index cols, Index inner) {
    flops_ += 2.0 * static_cast<double>(rows) * static_cast<double>(cols) * static_cast<double>(inner);
  }
  /// Query–key pairs of a causal sequence of n tokens.
  static double pairs(Index n, Index window) {
    auto const total = static_cast<double>(n);
    auto const limit = static_cast<double>(window == 0 ? n : std::min(n, window));
    return limit * (limit + 1) / 2 + (total - limit) * limit;
  }
  void count_pairs(AttentionShape const& shape, double pairs, int products) {
    flops_ += 2.0 * products * pairs * static_cast<double>(shape.heads * shape.head_dim);
  }
  void count_attention(AttentionShape const& shape, PackedSequences const& packed, int products) {
    for (Index s = 0; s < packed.size(); ++s) {
      Index const shared = packed.prefix(s), length = shared + packed.end(s) - packed.begin(s);
      count_pairs(shape, pairs(length, shape.window) - pairs(shared, shape.window), products);
    }
  }

  double flops_ = 0;
};

}  // namespace graft
