// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/argument.hpp>
#include <graft/backend/concept.hpp>
#include <graft/backend/cpu/elementwise.hpp>
#include <graft/backend/cpu/gemm.hpp>
#include <graft/backend/cpu/int8_linear.hpp>
#include <graft/backend/cpu/panel_dot.hpp>
#include <graft/backend/cpu/stored_dot.hpp>
#include <graft/backend/precision.hpp>
#include <graft/core/bf16_rounding.hpp>
#include <graft/quant/decode.hpp>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace graft::detail {

/// The weights as plain rows of T, if that is how they are stored, else an empty view.
template <Scalar T>
[[nodiscard]] In<T> dense_view(StoredMatrix const& w) {
  constexpr Storage same = std::is_same_v<T, float> ? Storage::f32 : Storage::f64;
  bool const aligned = reinterpret_cast<std::uintptr_t>(w.data) % alignof(T) == 0;
  if (w.storage != same || !aligned || w.empty()) return {};
  return {reinterpret_cast<T const*>(w.data), w.rows, w.cols};
}

/// Converts one row to what the product multiplies: bf16, or the scalar type, rounded to bf16 if `rounded`.
template <class E, class T>
void convert_row(T const* from, Index n, bool rounded, E* to) {
  if constexpr (std::is_same_v<E, bf16>) {
    round_to_bf16(from, n, to);
  } else if (rounded) {
    for (Index c = 0; c < n; ++c) to[c] = static_cast<E>(to_float(to_bf16(static_cast<float>(from[c]))));
  } else {
    std::copy_n(from, n, to);
  }
}

/// Products with stored weights. A panel of weight rows is decoded once, to what the product multiplies (E: the scalar
/// type T, or bf16), and used for all tokens. Weights that are plain T already are read where they are.
///
/// With Precision::int8 and more than a few tokens the products are those of `int8_linear.hpp`.
///
/// Many tokens: all threads decode one panel into shared scratch, then all multiply by it. Few tokens (generation): each
/// thread decodes its own rows into its own cache and multiplies at once, in bf16 with either reduced precision if the
/// processor multiplies that; one to four always in float, without a panel.
template <class Derived>
struct CpuLinear {
  template <Scalar T>
  void linear_forward(InArg<T> x, StoredMatrix w, Out<T> y) {
    assert(x.cols == w.cols && y.cols == w.rows && x.rows == y.rows);
    if (few<T>(x, w)) return dot_products(x, w, y);
    if constexpr (std::is_same_v<T, float>)
      if (in_int8(x, w)) return int8_forward(self().workspace(), x, w, y);
#if GRAFT_HAS_BF16_LANES
    if constexpr (std::is_same_v<T, float>)
      if (few_in_bf16(x, w)) return forward_few<bf16>(x, w, true, y);
#endif
    if (!rounds<T>(x.rows))
      if (In<T> const dense = dense_view<T>(w); !dense.empty())
        return self().gemm(Op::none, Op::transpose, T{1}, x, dense, T{0}, y);
    with_element<T>(x.rows, [&](auto element, bool rounded) { forward<decltype(element)>(x, w, rounded, y); });
  }

  template <Scalar T>
  void linear_backward_input(InArg<T> dy, StoredMatrix w, Out<T> dx) {
    assert(dy.cols == w.rows && dx.cols == w.cols && dy.rows == dx.rows);
    if constexpr (std::is_same_v<T, float>)
      if (in_int8(dy, w)) return int8_backward_input(self().workspace(), dy, w, dx);
    if (!rounds<T>(dy.rows))
      if (In<T> const dense = dense_view<T>(w); !dense.empty())
        return self().gemm(Op::none, Op::none, T{1}, dy, dense, T{1}, dx);
    with_element<T>(dy.rows, [&](auto element, bool rounded) { backward_input<decltype(element)>(dy, w, rounded, dx); });
  }

 private:
  static constexpr Index panel_elements = Index{1} << 20;  // 4 MiB of float: half a usual L3 cache, or less
  static constexpr Index few_tokens = 16;
  static constexpr Index few_rows = 32;
  static constexpr Index dot_rows_of_a_task = 32;

  /// Whether `panel_dot` multiplies panels of E.
  template <class E, class T>
  static constexpr bool dots_panels = std::is_same_v<T, float> && ((GRAFT_HAS_LANES && std::is_same_v<E, float>) ||
                                                                    (GRAFT_HAS_BF16_LANES && std::is_same_v<E, bf16>));

  Derived& self() { return *static_cast<Derived*>(this); }

  /// Whether a product of many tokens is computed in bf16.
  template <class T>
  bool rounds(Index tokens) {
    return std::is_same_v<T, float> && self().precision() == Precision::bf16 && tokens > few_tokens;
  }
  /// Whether a product is computed in int8: packing the weights is worth it for more than a few tokens.
  bool in_int8(In<float> tokens, StoredMatrix const& w) {
    return self().precision() == Precision::int8 && tokens.rows > few_tokens && !w.exact && !w.empty();
  }
  /// Whether a few tokens are multiplied in bf16.
  bool few_in_bf16(In<float> x, StoredMatrix const& w) {
    bool const reduced = self().precision() == Precision::bf16 || (self().precision() == Precision::int8 && !w.exact);
    return reduced && x.rows <= few_tokens && !x.empty() && !w.empty();
  }
  /// Whether `dot_products` takes a product.
  template <class T>
  bool few(In<T> x, StoredMatrix const& w) {
    return GRAFT_HAS_LANES && std::is_same_v<T, float> && x.rows <= most_dot_tokens && !x.empty() && !w.empty();
  }
  /// The product of one to four tokens, without a panel.
  template <class T>
  void dot_products([[maybe_unused]] In<T> x, [[maybe_unused]] StoredMatrix const& w, [[maybe_unused]] Out<T> y) {
#if GRAFT_HAS_LANES
    if constexpr (std::is_same_v<T, float>) {
      Index const blocks = x.cols / dot_block;
      float* const sums = self().workspace().shared(scratch_bytes<float>(x.rows * blocks)).template take<float>(x.rows * blocks);
      if (is_quantized(w.storage)) sum_blocks(x, sums);
      auto const per_thread = self().workspace().per_thread(scratch_bytes<float>(w.cols));
      parallel_blocks(w.rows, dot_rows_of_a_task, [&](Index begin, Index end) {
        dot_rows(w, begin, end, x, sums, per_thread.mine().template take<float>(w.cols), y.cols_between(begin, end));
      });
    }
#endif
  }

  /// Calls f(E{}, rounded) with what this backend multiplies for that many tokens: T, T rounded to bf16, or bf16 itself.
  template <class T, class F>
  void with_element(Index tokens, F&& f) {
    if (!rounds<T>(tokens)) return f(T{}, false);
    if constexpr (std::is_same_v<T, float>) {
      if constexpr (requires(Derived& d, bf16 const* a, float* c) {
                      d.tile_gemm(Op::none, Op::none, Index{}, Index{}, Index{}, 1.0f, a, Index{}, a, Index{}, 0.0f, c, Index{});
                    })
        if (self().multiplies_bf16()) return f(bf16{}, true);
      f(float{}, true);
    }
  }

  static Index panel_rows(StoredMatrix const& w) {
    return std::min(w.rows, std::max<Index>(64, panel_elements / std::max<Index>(1, w.cols) / 32 * 32));
  }

  /// Rows [begin, end) of w as E.
  template <class E>
  static void decode(StoredMatrix const& w, Index begin, Index end, bool rounded, Out<E> panel) {
    decode_rows(w, begin, end, panel);
    if constexpr (!std::is_same_v<E, bf16>)
      if (rounded)
        for (Index r = 0; r < panel.rows; ++r) convert_row(panel.row(r), panel.cols, true, panel.row(r));
  }

  template <class E>
  static void decode_in_parallel(StoredMatrix const& w, Index first, bool rounded, Out<E> panel) {
    parallel_blocks(panel.rows, 16, [&](Index begin, Index end) {
      decode(w, first + begin, first + end, rounded, panel.rows_between(begin, end));
    });
  }

  /// Bytes of scratch that `converted` takes.
  template <class E, class T>
  static std::size_t converted_bytes(In<T> x, bool rounded) {
    return rounded || !std::is_same_v<E, T> ? scratch_bytes<E>(x.size()) : 0;
  }
  /// x as E: x itself where no conversion is needed, else a copy in `scratch`.
  template <class E, class T>
  static In<E> converted(In<T> x, bool rounded, Scratch& scratch) {
    if constexpr (std::is_same_v<E, T>)
      if (!rounded) return x;
    Out<E> const copy(scratch.take<E>(x.size()), x.rows, x.cols);
    parallel_row_blocks(x.rows, x.cols, [&](Index begin, Index end) {
      for (Index t = begin; t < end; ++t) convert_row(x.row(t), x.cols, rounded, copy.row(t));
    });
    return copy;
  }

  /// The product of a few tokens: each thread decodes rows into its own cache.
  template <class E, class T>
  void forward_few(In<T> x, StoredMatrix const& w, bool rounded, Out<T> y) {
    Index const stride = spread_stride<E>(w.cols);
    Scratch shared = self().workspace().shared(converted_bytes<E>(x, rounded));
    In<E> const operand = converted<E>(x, rounded, shared);
    auto const per_thread = self().workspace().per_thread(scratch_bytes<E>(few_rows * stride));
    parallel_blocks(w.rows, few_rows, [&](Index begin, Index end) {
      Out<E> const panel(per_thread.mine().template take<E>(few_rows * stride), end - begin, w.cols, stride);
      decode(w, begin, end, rounded, panel);
      if constexpr (dots_panels<E, T>)
        panel_dot(operand, In<E>(panel), y.cols_between(begin, end));
      else
        self().tile_gemm(Op::none, Op::transpose, x.rows, end - begin, w.cols, T{1}, operand.data, operand.stride,
                         static_cast<E const*>(panel.data), panel.stride, T{0}, y.data + begin, y.stride);
    });
  }

  template <class E, class T>
  void forward(In<T> x, StoredMatrix const& w, bool rounded, Out<T> y) {
    if (y.empty()) return;
    if (x.rows <= few_tokens) return forward_few<E>(x, w, rounded, y);
    Index const rows = panel_rows(w), stride = spread_stride<E>(w.cols);
    Scratch shared = self().workspace().shared(scratch_bytes<E>(rows * stride) + converted_bytes<E>(x, rounded));
    In<E> const operand = converted<E>(x, rounded, shared);
    E* const memory = shared.template take<E>(rows * stride);
    for (Index first = 0; first < w.rows; first += rows) {
      Out<E> const panel(memory, std::min(rows, w.rows - first), w.cols, stride);
      decode_in_parallel(w, first, rounded, panel);
      parallel_tiles(x.rows, panel.rows, [&](Index row, Index row_end, Index col, Index col_end) {
        self().tile_gemm(Op::none, Op::transpose, row_end - row, col_end - col, w.cols, T{1}, operand.row(row),
                         operand.stride, static_cast<E const*>(panel.row(col)), panel.stride, T{0},
                         y.row(row) + first + col, y.stride);
      });
    }
  }

  template <class E, class T>
  void backward_input(In<T> dy, StoredMatrix const& w, bool rounded, Out<T> dx) {
    if (dx.empty()) return;
    Index const rows = panel_rows(w), stride = spread_stride<E>(w.cols);
    Scratch shared = self().workspace().shared(scratch_bytes<E>(rows * stride) + converted_bytes<E>(dy, rounded));
    In<E> const operand = converted<E>(dy, rounded, shared);
    E* const memory = shared.template take<E>(rows * stride);
    for (Index first = 0; first < w.rows; first += rows) {
      Out<E> const panel(memory, std::min(rows, w.rows - first), w.cols, stride);
      decode_in_parallel(w, first, rounded, panel);
      parallel_tiles(dx.rows, dx.cols, [&](Index row, Index row_end, Index col, Index col_end) {
        self().tile_gemm(Op::none, Op::none, row_end - row, col_end - col, panel.rows, T{1}, operand.row(row) + first,
                         operand.stride, static_cast<E const*>(panel.data + col), panel.stride, T{1},
                         dx.row(row) + col, dx.stride);
      });
    }
  }
};

}  // namespace graft::detail
