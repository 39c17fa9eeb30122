// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/bf16_rounding.hpp>
#include <graft/core/scalar.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

/// One decoder per block format. Each turns one block into its `elements` values; loops have constant lengths and touch
/// bytes in order, so that compilers turn them into widening vector instructions. Products of a half and a small integer
/// are exact in float: the results do not depend on whether the compiler fuses the multiplication and the addition.
// GCC unrolls loops of 16 completely before it looks for vectors, and then finds none.
#if defined(__GNUC__) && !defined(__clang__)
#define GRAFT_KEEP_LOOP _Pragma("GCC unroll 1")
#else
#define GRAFT_KEEP_LOOP
#endif

namespace graft::detail {

template <class U>
[[nodiscard]] inline U load(std::byte const* from) noexcept {
  U value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// `to_float(f16)` without branches, so that loops over halves vectorise; the same bits for every input. Subnormal halves
/// become normal floats by a subtraction, so flush-to-zero modes do not lose them.
[[nodiscard]] inline float widen_half(std::uint16_t bits) noexcept {
  std::uint32_t const magnitude = static_cast<std::uint32_t>(bits & 0x7fffu) << 13;
  std::uint32_t const subnormal = 0u - static_cast<std::uint32_t>(magnitude < 0x400u << 13);
  std::uint32_t const special = 0u - static_cast<std::uint32_t>(magnitude >= 0x7c00u << 13);
  float const shifted = std::bit_cast<float>(magnitude + (112u << 23) + (subnormal & 1u << 23));
  float const value = shifted - std::bit_cast<float>(subnormal & 113u << 23);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | (special & 0x7f800000u) |
                              static_cast<std::uint32_t>(bits & 0x8000u) << 16);
}

[[nodiscard]] inline float load_half(std::byte const* from) noexcept { return widen_half(load<std::uint16_t>(from)); }

[[nodiscard]] inline std::uint8_t const* unsigned_bytes(std::byte const* from) noexcept {
  return reinterpret_cast<std::uint8_t const*>(from);
}
[[nodiscard]] inline std::int8_t const* signed_bytes(std::byte const* from) noexcept {
  return reinterpret_cast<std::int8_t const*>(from);
}

/// Stores a decoded value; bf16 is rounded to nearest.
template <class T>
inline void store(T& out, float value) noexcept {
  if constexpr (std::same_as<T, bf16>)
    out = to_bf16(value);
  else
    out = static_cast<T>(value);
}

/// Decodes `cols` elements to bf16 by way of floats: decode(c, count, values) writes those from c on. Rounding is a pass of its own, in
/// vectors, over a piece of several blocks, since what was just stored is not yet to be read.
template <class F>
inline void decode_by_floats(Index cols, bf16* out, F&& decode) noexcept {
  constexpr Index piece = 256;
  float values[piece];
  for (Index c = 0; c < cols; c += piece) {
    Index const count = std::min(piece, cols - c);
    decode(c, count, values);
    round_to_bf16(values, count, out + c);
  }
}

struct DecodeQ8_0 {
  static constexpr Index elements = 32, bytes = 34;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    float const d = load_half(from);
    std::int8_t const* const q = signed_bytes(from + 2);
    for (int j = 0; j < 32; ++j) store(out[j], static_cast<float>(q[j]) * d);
  }
};

/// 32 elements d·q + m from q[16]: elements 0..15 are the low nibbles less `zero`, 16..31 the high ones.
template <class Add, class T>
inline void decode_nibbles(std::byte const* __restrict from, float d, int zero, Add add, T* __restrict out) noexcept {
  std::uint8_t const* const q = unsigned_bytes(from);
  GRAFT_KEEP_LOOP
  for (int j = 0; j < 16; ++j) store(out[j], add(d * static_cast<float>((q[j] & 15) - zero)));
  GRAFT_KEEP_LOOP
  for (int j = 0; j < 16; ++j) store(out[16 + j], add(d * static_cast<float>((q[j] >> 4) - zero)));
}

/// As `decode_nibbles`, where bit j of the 32 bits at `high` is the fifth bit of element j.
template <class Add, class T>
inline void decode_five_bits(std::byte const* __restrict from, std::byte const* __restrict high, float d, int zero, Add add,
                             T* __restrict out) noexcept {
  std::uint8_t const* const q = unsigned_bytes(from);
  auto const bits = load<std::uint32_t>(high);
  constexpr int mask[16] = {0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x8000};
  int const first = static_cast<int>(bits & 0xffffu), second = static_cast<int>(bits >> 16);
  GRAFT_KEEP_LOOP
  for (int j = 0; j < 16; ++j)
    store(out[j], add(d * static_cast<float>((q[j] & 15) + ((first & mask[j]) != 0 ? 16 - zero : -zero))));
  GRAFT_KEEP_LOOP
  for (int j = 0; j < 16; ++j)
    store(out[16 + j], add(d * static_cast<float>((q[j] >> 4) + ((second & mask[j]) != 0 ? 16 - zero : -zero))));
}

struct DecodeQ4_0 {
  static constexpr Index elements = 32, bytes = 18;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    decode_nibbles(from + 2, load_half(from), 8, [](float value) { return value; }, out);
  }
};

struct DecodeQ4_1 {
  static constexpr Index elements = 32, bytes = 20;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    float const m = load_half(from + 2);
    decode_nibbles(from + 4, load_half(from), 0, [m](float value) { return value + m; }, out);
  }
};

struct DecodeQ5_0 {
  static constexpr Index elements = 32, bytes = 22;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    decode_five_bits(from + 6, from + 2, load_half(from), 16, [](float value) { return value; }, out);
  }
};

struct DecodeQ5_1 {
  static constexpr Index elements = 32, bytes = 24;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    float const m = load_half(from + 2);
    decode_five_bits(from + 8, from + 4, load_half(from), 0, [m](float value) { return value + m; }, out);
  }
};

/// The eight (scale, minimum) pairs of Q4_K and Q5_K, 6 bits each, packed in 12 bytes: the low 6 bits of bytes 0..7 are
/// the first four scales and minima; the other four have their low nibbles in bytes 8..11 and their upper two bits in the
/// spare bits of bytes 0..7.
struct KScales {
  float scale[8];
  float minimum[8];

  KScales(std::byte const* from, float d, float d_minimum) noexcept {
    std::uint8_t s[12];
    std::memcpy(s, from, sizeof s);
    for (int k = 0; k < 4; ++k) {
      scale[k] = d * static_cast<float>(s[k] & 63);
      minimum[k] = d_minimum * static_cast<float>(s[k + 4] & 63);
      scale[k + 4] = d * static_cast<float>((s[k + 8] & 15) | (s[k] >> 6) << 4);
      minimum[k + 4] = d_minimum * static_cast<float>((s[k + 8] >> 4) | (s[k + 4] >> 6) << 4);
    }
  }
};

struct DecodeQ4K {
  static constexpr Index elements = 256, bytes = 144;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    KScales const scales(from + 4, load_half(from), load_half(from + 2));
    for (int pair = 0; pair < 4; ++pair) {
      std::uint8_t const* const q = unsigned_bytes(from + 16 + 32 * pair);
      float const d0 = scales.scale[2 * pair], m0 = scales.minimum[2 * pair];
      float const d1 = scales.scale[2 * pair + 1], m1 = scales.minimum[2 * pair + 1];
      T* const even = out + 64 * pair;
      T* const odd = even + 32;
      for (int j = 0; j < 32; ++j) store(even[j], d0 * static_cast<float>(q[j] & 15) - m0);
      for (int j = 0; j < 32; ++j) store(odd[j], d1 * static_cast<float>(q[j] >> 4) - m1);
    }
  }
};

struct DecodeQ5K {
  static constexpr Index elements = 256, bytes = 176;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    KScales const scales(from + 4, load_half(from), load_half(from + 2));
    std::uint8_t const* const high = unsigned_bytes(from + 16);
    for (int pair = 0; pair < 4; ++pair) {
      std::uint8_t const* const q = unsigned_bytes(from + 48 + 32 * pair);
      float const d0 = scales.scale[2 * pair], m0 = scales.minimum[2 * pair];
      float const d1 = scales.scale[2 * pair + 1], m1 = scales.minimum[2 * pair + 1];
      T* const even = out + 64 * pair;
      T* const odd = even + 32;
      int const bit = 2 * pair;
      for (int j = 0; j < 32; ++j) store(even[j], d0 * static_cast<float>((q[j] & 15) | (high[j] >> bit & 1) << 4) - m0);
      for (int j = 0; j < 32; ++j)
        store(odd[j], d1 * static_cast<float>((q[j] >> 4) | (high[j] >> (bit + 1) & 1) << 4) - m1);
    }
  }
};

struct DecodeQ6K {
  static constexpr Index elements = 256, bytes = 210;
  template <class T>
  static void block(std::byte const* __restrict from, T* __restrict out) noexcept {
    float const d = load_half(from + 208);
    for (int half = 0; half < 2; ++half)
      for (int group = 0; group < 2; ++group) {
        // Sixteen bytes each: the low nibbles of four groups of elements, and two upper bits for each of the four.
        std::uint8_t const* const low02 = unsigned_bytes(from + 64 * half + 16 * group);
        std::uint8_t const* const low13 = low02 + 32;
        std::uint8_t const* const high = unsigned_bytes(from + 128 + 32 * half + 16 * group);
        std::int8_t const* const scales = signed_bytes(from + 192 + 8 * half);
        float const d0 = d * static_cast<float>(scales[group]), d1 = d * static_cast<float>(scales[group + 2]);
        float const d2 = d * static_cast<float>(scales[group + 4]), d3 = d * static_cast<float>(scales[group + 6]);
        T* const to = out + 128 * half + 16 * group;
        GRAFT_KEEP_LOOP
        for (int j = 0; j < 16; ++j) store(to[j], d0 * static_cast<float>(((low02[j] & 15) | (high[j] & 3) << 4) - 32));
        GRAFT_KEEP_LOOP
        for (int j = 0; j < 16; ++j)
          store(to[32 + j], d1 * static_cast<float>(((low13[j] & 15) | (high[j] >> 2 & 3) << 4) - 32));
        GRAFT_KEEP_LOOP
        for (int j = 0; j < 16; ++j)
          store(to[64 + j], d2 * static_cast<float>(((low02[j] >> 4) | (high[j] >> 4 & 3) << 4) - 32));
        GRAFT_KEEP_LOOP
        for (int j = 0; j < 16; ++j) store(to[96 + j], d3 * static_cast<float>(((low13[j] >> 4) | (high[j] >> 6) << 4) - 32));
      }
  }
};

}  // namespace graft::detail

#undef GRAFT_KEEP_LOOP
