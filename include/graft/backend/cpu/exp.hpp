// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace graft::detail {

/// e^x, at most 2 units in the last place from the exact value; 0 below -86.6, infinity above 88.72283, NaN for NaN. No
/// branches: loops over it become vector instructions.
/// e^x = 2^n·e^r with n = round(x/ln 2) and |r| ≤ ln 2/2; e^r is a polynomial (minimax fit of degree 6, 3e-9).
[[nodiscard]] inline float fast_exp(float x) noexcept {
  constexpr float magic = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
  float const shifted = x * 0x1.715476p+0f + magic;
  float const n = shifted - magic;
  float const r = (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;  // ln 2 in two parts, the first times n is exact
  float p = 0x1.6a2352p-10f;
  p = p * r + 0x1.123a6cp-7f;
  p = p * r + 0x1.5558f4p-5f;
  p = p * r + 0x1.55549p-3f;
  p = p * r + 0x1.fffffcp-2f;
  p = p * r * r + r + 1.0f;
  std::uint32_t const exponent = std::bit_cast<std::uint32_t>(shifted) << 23;  // n modulo 2^9, magic's own bits fall out
  // Masks, not conditionals: GCC turns a conditional around arithmetic into a branch and gives up vectorising.
  std::uint32_t const tiny = std::uint32_t{0} - static_cast<std::uint32_t>(x < -86.6f);
  std::uint32_t const huge = std::uint32_t{0} - static_cast<std::uint32_t>(x > 0x1.62e42ep+6f);
  std::uint32_t const nan = std::uint32_t{0} - static_cast<std::uint32_t>(x != x);
  std::uint32_t const bits = std::bit_cast<std::uint32_t>(p) + exponent;
  return std::bit_cast<float>((bits & ~(tiny | huge)) | (0x7f800000u & huge) | (0x7fc00000u & nan));
}
[[nodiscard]] inline double fast_exp(double x) noexcept { return std::exp(x); }

}  // namespace graft::detail
