// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace graft {

/// Sizes and positions are signed, so that differences and reverse loops are ordinary arithmetic.
using Index = std::ptrdiff_t;

/// The types that arithmetic runs in: `float` to train, `double` to check gradients.
template <class T>
concept Scalar = std::same_as<T, float> || std::same_as<T, double>;

/// bfloat16: the upper half of an IEEE float. A storage type; arithmetic converts to float.
struct bf16 {
  std::uint16_t bits = 0;
  friend bool operator==(bf16, bf16) = default;
};

/// IEEE half precision. A storage type; arithmetic converts to float.
struct f16 {
  std::uint16_t bits = 0;
  friend bool operator==(f16, f16) = default;
};

[[nodiscard]] inline float to_float(bf16 value) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

[[nodiscard]] inline float to_float(f16 value) noexcept {
  std::uint32_t const sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  std::uint32_t const magnitude = value.bits & 0x7fffu;
  if (magnitude >= 0x7c00u)  // infinity or NaN, the payload moves with it
    return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  // Normal and subnormal alike: put the 15 bits where a float has them and repair the bias by a product, which is exact.
  float const scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | sign);
}

/// Round to nearest, ties to even; NaN stays NaN.
[[nodiscard]] inline bf16 to_bf16(float value) noexcept {
  auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>(bits >> 16 | 0x40u)};
  bits += 0x7fffu + (bits >> 16 & 1u);
  return {static_cast<std::uint16_t>(bits >> 16)};
}

/// Round to nearest, ties to even; values beyond the range of half become infinity.
[[nodiscard]] inline f16 to_f16(float value) noexcept {
  auto const bits = std::bit_cast<std::uint32_t>(value);
  auto const sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  std::uint32_t const magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};
  if (magnitude < 0x38800000u) {  // subnormal half: adding 0.5 leaves the rounded multiple of 2^-24 in the low bits
    float const shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u))};
  }
  std::uint32_t const rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return {static_cast<std::uint16_t>(sign | (rounded - 0x38000000u) >> 13)};
}

}  // namespace graft
