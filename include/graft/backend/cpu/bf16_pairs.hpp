// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <cstddef>
#include <cstdint>

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512BF16__)
#define GRAFT_HAS_BF16_LANES 1
#include <immintrin.h>
#else
#define GRAFT_HAS_BF16_LANES 0
#endif

namespace graft::detail {

/// Two neighbours along a contraction in bf16, the first in the low half: what a lane of `vdpbf16ps` multiplies.
using Bf16Pair = std::uint32_t;

inline constexpr Index bf16_lanes = 16;

#if GRAFT_HAS_BF16_LANES

/// 32 floats, rounded to nearest even: pair i has low[2i], low[2i + 1] for i < 8, then those of high.
[[nodiscard]] inline __m512i bf16_of(__m512 low, __m512 high) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// Pairs along the columns: to[r][c/2] = factor·(x[r][c], x[r][c + 1]). `cols` is rounded up to 32, and x readable up to
/// there.
inline void pair_columns(float const* x, Index stride, Index rows, Index cols, float factor, Bf16Pair* to, Index to_stride) {
  __m512 const all = _mm512_set1_ps(factor);
  for (Index r = 0; r < rows; ++r)
    for (Index c = 0; c < cols; c += 32) {
      float const* const from = x + r * stride + c;
      _mm512_storeu_si512(to + r * to_stride + c / 2,
                          bf16_of(_mm512_mul_ps(_mm512_loadu_ps(from), all), _mm512_mul_ps(_mm512_loadu_ps(from + 16), all)));
    }
}

/// Pairs along the rows: to[r/2][c] = (x[r][c], x[r + 1][c]); a last row without partner gets 0. `cols` is rounded up to 16.
inline void pair_rows(float const* x, Index stride, Index rows, Index cols, Bf16Pair* to, Index to_stride) {
  __m512i const interleave = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,  //
                                              23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (Index r = 0; r < rows; r += 2) {
    float const* const first = x + r * stride;
    bool const alone = r + 1 == rows;
    for (Index c = 0; c < cols; c += 16) {
      __m512 const second = alone ? _mm512_setzero_ps() : _mm512_loadu_ps(first + stride + c);
      _mm512_storeu_si512(to + r / 2 * to_stride + c,
                          _mm512_permutexvar_epi16(interleave, bf16_of(_mm512_loadu_ps(first + c), second)));
    }
  }
}

/// Transposes 16 rows of 16 words.
inline void transpose_words(__m512i (&rows)[16]) {
  __m512i pairs[16], quads[16];
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int half = 0; half < 2; ++half) {
      quads[i + 2 * half] = _mm512_unpacklo_epi64(pairs[i + half], pairs[i + half + 2]);
      quads[i + 2 * half + 1] = _mm512_unpackhi_epi64(pairs[i + half], pairs[i + half + 2]);
    }
  // quads[4i + j]: in its 128 bits number l column 4l + j of the rows 4i … 4i + 3.
  for (int j = 0; j < 4; ++j) {
    __m512i const even_low = _mm512_shuffle_i32x4(quads[j], quads[4 + j], 0x88);
    __m512i const even_high = _mm512_shuffle_i32x4(quads[8 + j], quads[12 + j], 0x88);
    __m512i const odd_low = _mm512_shuffle_i32x4(quads[j], quads[4 + j], 0xdd);
    __m512i const odd_high = _mm512_shuffle_i32x4(quads[8 + j], quads[12 + j], 0xdd);
    rows[j] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
    rows[8 + j] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
    rows[4 + j] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
    rows[12 + j] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
  }
}

/// Pairs along the columns, transposed: to[c/2][r] = (x[r][c], x[r][c + 1]); rows are rounded up to 16 with zeros. `cols` is
/// a multiple of 32.
inline void pair_columns_transposed(float const* x, Index stride, Index rows, Index cols, Bf16Pair* to, Index to_stride) {
  for (Index r = 0; r < rows; r += 16)
    for (Index c = 0; c < cols; c += 32) {
      __m512i block[16];
      for (Index i = 0; i < 16; ++i) {
        float const* const from = x + (r + i) * stride + c;
        block[i] = r + i < rows ? bf16_of(_mm512_loadu_ps(from), _mm512_loadu_ps(from + 16)) : _mm512_setzero_si512();
      }
      transpose_words(block);
      for (Index i = 0; i < 16; ++i) _mm512_storeu_si512(to + (c / 2 + i) * to_stride + r, block[i]);
    }
}

/// The left operand of a product: pair p of row r is data[r·row + p·pair].
struct Bf16Rows {
  Bf16Pair const* data;
  Index row;
  Index pair;
};

/// c (+)= a·b for Rows rows and 16·Vectors columns, whose sums stay in registers; b: pair p of column j is b[p·b_stride + j].
template <std::size_t Rows, std::size_t Vectors>
void bf16_block(Bf16Rows a, Bf16Pair const* b, Index b_stride, Index pairs, bool accumulate, float* c, Index c_stride) {
  auto const at = [&](std::size_t r, std::size_t v) {
    return c + static_cast<Index>(r) * c_stride + static_cast<Index>(v) * bf16_lanes;
  };
  __m512 sums[Rows][Vectors];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Vectors; ++v) sums[r][v] = accumulate ? _mm512_loadu_ps(at(r, v)) : _mm512_setzero_ps();
  for (Index p = 0; p < pairs; ++p, a.data += a.pair, b += b_stride) {
    __m512i right[Vectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Vectors; ++v) right[v] = _mm512_loadu_si512(b + static_cast<Index>(v) * bf16_lanes);
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      Bf16Pair const pair = a.data[static_cast<Index>(r) * a.row];
      auto const left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(pair)));
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Vectors; ++v)
        sums[r][v] = _mm512_dpbf16_ps(sums[r][v], left, reinterpret_cast<__m512bh>(right[v]));
    }
  }
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Vectors; ++v) _mm512_storeu_ps(at(r, v), sums[r][v]);
}

/// c (rows, cols) (+)= a·b, floats of sums of products of bf16; `cols` is rounded up to 16. One thread. The order of the sum
/// is that of the pairs, so the bits of a row do not depend on the others.
inline void bf16_product(Bf16Rows a, Index rows, Bf16Pair const* b, Index b_stride, Index cols, Index pairs,
                         bool accumulate, float* c, Index c_stride) {
  auto const strip = [&]<std::size_t Vectors>(Index col) {
    Index r = 0;
    auto const block = [&]<Index Rows>() {
      for (; r + Rows <= rows; r += Rows)
        bf16_block<static_cast<std::size_t>(Rows), Vectors>({a.data + r * a.row, a.row, a.pair}, b + col, b_stride, pairs, accumulate,
                                  c + r * c_stride + col, c_stride);
    };
    block.template operator()<6>();
    block.template operator()<4>();
    block.template operator()<2>();
    block.template operator()<1>();
  };
  Index col = 0;
  for (; col + 4 * bf16_lanes <= cols; col += 4 * bf16_lanes) strip.template operator()<4>(col);
  for (; col < cols; col += bf16_lanes) strip.template operator()<1>(col);
}

#endif

}  // namespace graft::detail
