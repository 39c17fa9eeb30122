// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <bit>
#include <cstdint>

namespace graft::detail {

template <class T>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  using Bits = std::uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr float lowest = -86.6f, highest = 0x1.62e42ep+6f;  // results are normal numbers in between
  static constexpr float magic = 0x1.8p23f;
  static constexpr float log2_e = 0x1.715476p+0f, ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr Bits infinity = 0x7f800000u, nan = 0x7fc00000u;
  /// e^r - 1 - r for |r| ≤ ln 2/2: minimax fit, 3e-9.
  static float rest(float r) {
    float p = 0x1.6a2352p-10f;
    p = p * r + 0x1.123a6cp-7f;
    p = p * r + 0x1.5558f4p-5f;
    p = p * r + 0x1.55549p-3f;
    p = p * r + 0x1.fffffcp-2f;
    return p * r * r;
  }
};

template <>
struct ExpConstants<double> {
  using Bits = std::uint64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr double lowest = -708.0, highest = 0x1.62e42fefa39efp+9;
  static constexpr double magic = 0x1.8p52;
  static constexpr double log2_e = 0x1.71547652b82fep+0, ln2_high = 0x1.62e42fefap-1, ln2_low = 0x1.cf79abc9e3b3ap-40;
  static constexpr Bits infinity = 0x7ff0000000000000u, nan = 0x7ff8000000000000u;
  /// e^r - 1 - r for |r| ≤ ln 2/2: its series to r¹³/13!, 2e-18.
  static double rest(double r) {
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    return p * r * r;
  }
};

/// e^x, at most 2 units in the last place from the exact value; 0 below `lowest`, infinity above `highest`, NaN for NaN.
/// No branches: loops over it become vector instructions.
/// e^x = 2^n·e^r with n = round(x/ln 2) and |r| ≤ ln 2/2.
template <Scalar T>
[[nodiscard]] inline T fast_exp(T x) noexcept {
  using C = ExpConstants<T>;
  using Bits = typename C::Bits;
  T const shifted = x * C::log2_e + C::magic;  // adding `magic` leaves the nearest integer in the low bits
  T const n = shifted - C::magic;
  T const r = (x - n * C::ln2_high) - n * C::ln2_low;  // n·ln2_high is exact
  T const p = C::rest(r) + r + T{1};
  Bits const exponent = std::bit_cast<Bits>(shifted) << C::mantissa_bits;  // n; the bits of `magic` fall out
  // Masks, not conditionals: GCC turns a conditional around arithmetic into a branch and gives up vectorising.
  Bits const tiny = Bits{0} - static_cast<Bits>(x < C::lowest);
  Bits const huge = Bits{0} - static_cast<Bits>(x > C::highest);
  Bits const nan = Bits{0} - static_cast<Bits>(x != x);
  Bits const bits = std::bit_cast<Bits>(p) + exponent;
  return std::bit_cast<T>((bits & ~(tiny | huge)) | (C::infinity & huge) | (C::nan & nan));
}

}  // namespace graft::detail
