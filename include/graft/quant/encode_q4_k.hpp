// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/quant/encode_scale.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace graft::detail {

/// d·q - m for 32 values, q in 0..15, d ≥ 0, m ≥ 0.
struct AffineFit {
  float d = 0, m = 0;
  double error = 0;  ///< Σ w·(d·q - m - x)²
};

/// The best d and m for the codes that `step` and `low` give: q = round((x - low)/step); a weighted linear regression of x on
/// q, with m kept from going below 0.
[[nodiscard]] inline AffineFit fit_codes(float const* x, float const* weight, float low, float step) {
  double w = 0, wq = 0, wqq = 0, wx = 0, wqx = 0;
  float q[32];
  float const inverse = inverse_scale(step);
  for (int j = 0; j < 32; ++j) {
    q[j] = std::clamp(std::nearbyint((x[j] - low) * inverse), 0.0f, 15.0f);
    auto const weighted = static_cast<double>(weight[j]), code = static_cast<double>(q[j]), value = static_cast<double>(x[j]);
    w += weighted;
    wq += weighted * code;
    wqq += weighted * code * code;
    wx += weighted * value;
    wqx += weighted * code * value;
  }
  double const determinant = w * wqq - wq * wq;
  double d = determinant > 0 ? (w * wqx - wq * wx) / determinant : 0;
  double m = w > 0 ? (d * wq - wx) / w : 0;
  if (m < 0) {
    m = 0;
    d = wqq > 0 ? wqx / wqq : 0;
  }
  AffineFit fit{static_cast<float>(std::max(d, 0.0)), static_cast<float>(m), 0};
  for (int j = 0; j < 32; ++j) {
    auto const off = static_cast<double>(fit.d * q[j] - fit.m - x[j]);
    fit.error += static_cast<double>(weight[j]) * off * off;
  }
  return fit;
}

/// Tries steps around (largest - smallest)/15 and keeps the fit with the least error. Large values weigh more, as in ggml's
/// quantiser: √(mean x²) + |x|.
[[nodiscard]] inline AffineFit fit_affine(float const* x) {
  float weight[32];
  double squares = 0;
  for (int j = 0; j < 32; ++j) squares += static_cast<double>(x[j]) * static_cast<double>(x[j]);
  auto const mean = static_cast<float>(std::sqrt(squares / 32));
  for (int j = 0; j < 32; ++j) weight[j] = mean + std::abs(x[j]);
  auto const [least, most] = std::minmax_element(x, x + 32);
  float const low = std::min(*least, 0.0f), range = *most - low;
  AffineFit best = fit_codes(x, weight, low, range / 15.0f);
  for (int i = 0; i <= 20; ++i) {
    AffineFit const fit = fit_codes(x, weight, low, range / (14.0f + 0.1f * static_cast<float>(i)));
    if (fit.error < best.error) best = fit;
  }
  return best;
}

/// 256 values as eight groups of 32, d·scale·q - dmin·minimum with scale and minimum of six bits: each group is fitted alone, then
/// the eight scales and minima are rounded to common steps, then the codes are found for what was rounded.
inline void encode_q4_k(float const* x, std::byte* out) {
  std::array<AffineFit, 8> fits;
  float most_d = 0, most_m = 0;
  for (std::size_t g = 0; g < 8; ++g) {
    fits[g] = fit_affine(x + 32 * g);
    most_d = std::max(most_d, fits[g].d);
    most_m = std::max(most_m, fits[g].m);
  }
  f16 const halves[2] = {encode_scale(most_d / 63.0f, Storage::q4_k), encode_scale(most_m / 63.0f, Storage::q4_k)};
  float const d = to_float(halves[0]), d_minimum = to_float(halves[1]);
  std::uint8_t scale[8], minimum[8];
  for (std::size_t g = 0; g < 8; ++g) {
    scale[g] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(fits[g].d * inverse_scale(d)), 0.0f, 63.0f));
    minimum[g] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(fits[g].m * inverse_scale(d_minimum)), 0.0f, 63.0f));
  }
  std::uint8_t packed[12];
  for (std::size_t k = 0; k < 4; ++k) {
    packed[k] = static_cast<std::uint8_t>(scale[k] | (scale[k + 4] >> 4) << 6);
    packed[k + 4] = static_cast<std::uint8_t>(minimum[k] | (minimum[k + 4] >> 4) << 6);
    packed[k + 8] = static_cast<std::uint8_t>((scale[k + 4] & 15) | (minimum[k + 4] & 15) << 4);
  }
  std::memcpy(out, halves, 4);
  std::memcpy(out + 4, packed, 12);
  std::uint8_t codes[256];
  for (std::size_t j = 0; j < 256; ++j) {
    std::size_t const g = j / 32;
    float const step = d * static_cast<float>(scale[g]), low = d_minimum * static_cast<float>(minimum[g]);
    codes[j] = static_cast<std::uint8_t>(std::clamp(std::nearbyint((x[j] + low) * inverse_scale(step)), 0.0f, 15.0f));
  }
  for (std::size_t pair = 0; pair < 4; ++pair)
    for (std::size_t j = 0; j < 32; ++j)
      out[16 + 32 * pair + j] = static_cast<std::byte>(codes[64 * pair + j] | codes[64 * pair + 32 + j] << 4);
}

}  // namespace graft::detail
