// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu/int8_quantize.hpp>
#include <graft/core/view.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

namespace graft::detail {

/// Outputs that a block of packed weights serves, one a lane of a 512-bit register.
inline constexpr Index int8_lanes = 16;

/// 32 elements along the contraction for 16 outputs, as the product reads them: word [g][l] has the integers 4g … 4g+3 of
/// output l, the first in the low byte. `base` is -128·Σ q, which takes the 128 off that activations are stored with.
/// A strip is the blocks of 16 outputs along the whole contraction, one behind the other.
struct alignas(64) Int8Block {
  std::array<std::array<std::uint32_t, 16>, 8> words;
  std::array<float, 16> scale;
  std::array<std::int32_t, 16> base;
};
static_assert(sizeof(Int8Block) == 640);

/// The floats of a block, [k][l].
using Int8Tile = std::array<std::array<float, 16>, 32>;

inline void pack_int8_tile(Int8Tile const& tile, Int8Block& to) {
  std::array<std::uint32_t, 16> largest{};
  for (auto const& row : tile)
    for (std::size_t l = 0; l < 16; ++l) largest[l] = std::max(largest[l], magnitude_bits(row[l]));
  std::array<float, 16> inverse;
  for (std::size_t l = 0; l < 16; ++l) {
    Int8Scale const s = int8_scale(largest[l]);
    to.scale[l] = s.scale;
    inverse[l] = s.inverse;
  }
  to.base = {};
  for (std::size_t g = 0; g < 8; ++g) {
    std::array<std::uint32_t, 16> words{};
    for (std::size_t j = 0; j < 4; ++j)
      for (std::size_t l = 0; l < 16; ++l) {
        std::int32_t const q = nearest_integer(tile[4 * g + j][l], inverse[l]);
        words[l] |= (static_cast<std::uint32_t>(q) & 255u) << (8 * j);
        to.base[l] -= 128 * q;
      }
    to.words[g] = words;
  }
}

#if GRAFT_HAS_INT8_LANES

// Without optimisation GCC's gather is a macro, with a conversion of its own.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
/// The same bits from 16 rows of 32 elements, whose contraction runs along the row: each is quantised as activations are,
/// then words of four bytes are transposed.
inline void pack_int8_rows_by_lanes(float const* w, Index stride, Int8Block& to) {
  alignas(64) std::uint8_t q[16][32];
  for (std::size_t l = 0; l < 16; ++l)
    quantize_int8_block_by_lanes(w + static_cast<Index>(l) * stride, q[l], to.scale[l]);
  __m512i const row =
      _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32(8));
  __m512i sum = _mm512_setzero_si512();
  for (int g = 0; g < 8; ++g) {
    __m512i const stored = _mm512_i32gather_epi32(_mm512_add_epi32(row, _mm512_set1_epi32(g)), q, 4);
    __m512i const words = _mm512_xor_si512(stored, _mm512_set1_epi8(-128));
    _mm512_store_si512(to.words[static_cast<std::size_t>(g)].data(), words);
    sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(-128), words);
  }
  _mm512_store_si512(to.base.data(), _mm512_sub_epi32(_mm512_setzero_si512(), sum));
}
#pragma GCC diagnostic pop

/// The same from 32 rows of 16 elements, whose contraction runs down the column.
inline void pack_int8_cols_by_lanes(float const* w, Index stride, Int8Block& to) {
  __m512i const magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i largest = _mm512_setzero_si512();
  for (Index k = 0; k < 32; ++k)
    largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_loadu_si512(w + k * stride), magnitude));
  __m512 const a = _mm512_castsi512_ps(largest);
  __mmask16 const some = _mm512_cmp_ps_mask(a, _mm512_set1_ps(1e-30f), _CMP_NLT_UQ);
  _mm512_store_ps(to.scale.data(), _mm512_maskz_mul_ps(some, a, _mm512_set1_ps(1.0f / 127.0f)));
  __m512 const inverse = _mm512_maskz_div_ps(some, _mm512_set1_ps(127.0f), a);
  __m512i const low = _mm512_set1_epi32(255);
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t g = 0; g < 8; ++g, w += 4 * stride) {
    auto const q = [&](Index j) {
      return _mm512_and_si512(low, _mm512_castps_si512(_mm512_fmadd_ps(_mm512_loadu_ps(w + j * stride), inverse,
                                                                       _mm512_set1_ps(12582912.0f))));
    };
    __m512i const first = _mm512_or_si512(q(0), _mm512_slli_epi32(q(1), 8));
    __m512i const words =
        _mm512_or_si512(first, _mm512_or_si512(_mm512_slli_epi32(q(2), 16), _mm512_slli_epi32(q(3), 24)));
    _mm512_store_si512(to.words[g].data(), words);
    sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(-128), words);
  }
  _mm512_store_si512(to.base.data(), _mm512_sub_epi32(_mm512_setzero_si512(), sum));
}

#endif

/// Packs up to 16 rows of w as one strip whose contraction runs along the columns: for y = x·wᵀ.
inline void pack_int8_rows(In<float> w, Int8Block* strip) {
  assert(w.rows <= int8_lanes);
  Int8Tile tile{};
  for (Index b = 0; b < int8_blocks(w.cols); ++b) {
    Index const first = b * int8_block, count = std::min(int8_block, w.cols - first);
#if GRAFT_HAS_INT8_LANES
    if (w.rows == int8_lanes && count == int8_block) {
      pack_int8_rows_by_lanes(w.data + first, w.stride, strip[b]);
      continue;
    }
#endif
    if (count < int8_block) tile = {};
    for (Index l = 0; l < w.rows; ++l)
      for (Index k = 0; k < count; ++k)
        tile[static_cast<std::size_t>(k)][static_cast<std::size_t>(l)] = w.row(l)[first + k];
    pack_int8_tile(tile, strip[b]);
  }
}

/// Packs up to 32 rows of w as one block of each strip, the contraction running along the rows: for dx = dy·w. The strip of
/// columns 16s … 16s+15 gets its block at `to + s·stride`.
inline void pack_int8_cols(In<float> w, Int8Block* to, Index stride) {
  assert(w.rows <= int8_block);
  Int8Tile tile{};
  for (Index first = 0; first < w.cols; first += int8_lanes, to += stride) {
    Index const count = std::min(int8_lanes, w.cols - first);
#if GRAFT_HAS_INT8_LANES
    if (w.rows == int8_block && count == int8_lanes) {
      pack_int8_cols_by_lanes(w.data + first, w.stride, *to);
      continue;
    }
#endif
    if (count < int8_lanes) tile = {};
    for (Index k = 0; k < w.rows; ++k) std::copy_n(w.row(k) + first, count, tile[static_cast<std::size_t>(k)].begin());
    pack_int8_tile(tile, *to);
  }
}

}  // namespace graft::detail
