// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/quant/block_decoders.hpp>

#include <cstddef>
#include <cstdint>

#ifdef __SSSE3__
#include <immintrin.h>
#endif

// As in block_decoders.hpp.
#if defined(__GNUC__) && !defined(__clang__)
#define GRAFT_KEEP_LOOP _Pragma("GCC unroll 1")
#else
#define GRAFT_KEEP_LOOP
#endif

/// The decoders of two and three bits, and of four bits with a table of levels.
namespace graft::detail {

/// 16 groups of 16 elements, each with a scale and a minimum of 4 bits. Bytes 16…79 hold four elements each: byte j of a half of 32
/// has the elements j, 32 + j, 64 + j and 96 + j of its 128.
struct DecodeQ2K {
  static constexpr Index elements = 256, bytes = 84;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    std::uint8_t const* const scales = unsigned_bytes(from);
    float const d = load_half(from + 80), d_minimum = load_half(from + 82);
    for (int group = 0; group < 16; ++group) {
      std::uint8_t const* const q = unsigned_bytes(from + 16 + 32 * (group / 8) + 16 * (group % 2));
      int const shift = group / 2 % 4 * 2;
      float const scale = d * static_cast<float>(scales[group] & 15), minimum = d_minimum * static_cast<float>(scales[group] >> 4);
      for (int j = 0; j < 16; ++j) store(out[16 * group + j], scale * static_cast<float>(q[j] >> shift & 3) - minimum);
    }
  }
};

/// As Q2_K, with signed scales of 6 bits, no minima, and a third bit for each element in the first 32 bytes: where it is 0, 4 is taken off.
struct DecodeQ3K {
  static constexpr Index elements = 256, bytes = 110;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    std::uint8_t const* const packed = unsigned_bytes(from + 96);
    float const d = load_half(from + 108);
    for (int group = 0; group < 16; ++group) {
      std::uint8_t const* const q = unsigned_bytes(from + 32 + 32 * (group / 8) + 16 * (group % 2));
      std::uint8_t const* const third = unsigned_bytes(from + 16 * (group % 2));
      int const shift = group / 2 % 4 * 2, bit = group / 2;
      int const low = packed[group % 8] >> 4 * (group / 8) & 15, high = packed[8 + group % 4] >> 2 * (group / 4) & 3;
      float const scale = d * static_cast<float>((low | high << 4) - 32);
      for (int j = 0; j < 16; ++j) store(out[16 * group + j], scale * static_cast<float>((q[j] >> shift & 3) + (third[j] >> bit & 1) * 4 - 4));
    }
  }
};

/// The 16 levels of IQ4_NL and IQ4_XS.
inline constexpr std::int8_t iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// out[j] = the level of the low nibble of byte j, out[16 + j] that of its high one. Compilers gather from such a table element by
/// element, at a third of the speed of one instruction that picks 16 bytes.
inline void look_up_iq4(std::uint8_t const* q, std::int8_t* out) noexcept {
#ifdef __SSSE3__
  __m128i const levels = _mm_loadu_si128(reinterpret_cast<__m128i const*>(iq4_levels)), low = _mm_set1_epi8(15);
  __m128i const codes = _mm_loadu_si128(reinterpret_cast<__m128i const*>(q));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(levels, _mm_and_si128(codes, low)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), _mm_shuffle_epi8(levels, _mm_and_si128(_mm_srli_epi16(codes, 4), low)));
#else
  for (int j = 0; j < 16; ++j) {
    out[j] = iq4_levels[q[j] & 15];
    out[16 + j] = iq4_levels[q[j] >> 4];
  }
#endif
}

/// 32 elements of 4 bits: the low nibbles of 16 bytes, then the high ones.
template <class T>
inline void decode_iq4(std::byte const* __restrict from, float scale, T* __restrict out) noexcept {
  std::int8_t levels[32];
  look_up_iq4(unsigned_bytes(from), levels);
  GRAFT_KEEP_LOOP  // two loops: each reads back just what one instruction stored
  for (int j = 0; j < 16; ++j) store(out[j], scale * static_cast<float>(levels[j]));
  GRAFT_KEEP_LOOP
  for (int j = 16; j < 32; ++j) store(out[j], scale * static_cast<float>(levels[j]));
}

struct DecodeIq4Nl {
  static constexpr Index elements = 32, bytes = 18;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    decode_iq4(from + 2, load_half(from), out);
  }
};

/// Eight groups of 32 with signed scales of 6 bits: the upper two bits in bytes 2 and 3, the lower four in bytes 4…7.
struct DecodeIq4Xs {
  static constexpr Index elements = 256, bytes = 136;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    float const d = load_half(from);
    int const high = load<std::uint16_t>(from + 2);
    std::uint8_t const* const low = unsigned_bytes(from + 4);
    for (int group = 0; group < 8; ++group) {
      int const scale = (low[group / 2] >> 4 * (group % 2) & 15) | (high >> 2 * group & 3) << 4;
      decode_iq4(from + 8 + 16 * group, d * static_cast<float>(scale - 32), out + 32 * group);
    }
  }
};

}  // namespace graft::detail

#undef GRAFT_KEEP_LOOP
