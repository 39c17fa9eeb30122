// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace graft::detail {

/// ln x for a normal positive x, at most 3 units in the last place from the exact value, and some finite number for 0, so
/// that x·ln x is 0 there. No branches: loops over it become vector instructions.
/// ln x = e·ln 2 + ln(1 + r) with 1 + r in [√½, √2); ln(1 + r) = r - r²/2 + r³·q(r) (minimax fit, 3e-8).
[[nodiscard]] inline float fast_log(float x) noexcept {
  auto const bits = std::bit_cast<std::uint32_t>(x);
  auto const exponent = static_cast<std::int32_t>(bits - 0x3f3504f3u) >> 23;  // that is √½
  float const e = static_cast<float>(exponent);
  float const r = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23)) - 1.0f;
  float q = 0x1.645eb6p-4f;
  q = q * r - 0x1.2432bcp-3f;
  q = q * r + 0x1.317458p-3f;
  q = q * r - 0x1.53824ap-3f;
  q = q * r + 0x1.98d7f2p-3f;
  q = q * r - 0x1.000382p-2f;
  q = q * r + 0x1.5556d8p-2f;
  float const tail = r * r * (q * r - 0.5f) + e * 0x1.7f7d1cp-20f;  // ln 2 in two parts, as in `fast_exp`
  return e * 0x1.62e4p-1f + (r + tail);
}
[[nodiscard]] inline double fast_log(double x) noexcept { return x > 0 ? std::log(x) : 0.0; }

}  // namespace graft::detail
