// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace graft {

/// The 256 values in [-1, 1] (unsigned: [0, 1]) of bitsandbytes' dynamic 8-bit type: seven decades, the higher ones divided
/// more finely. Source: Dettmers, "8-bit approximations for parallelism in deep learning", 2016; Dettmers et al., "8-bit
/// optimizers via block-wise quantization", 2022, section 2; the order of the float operations is that of
/// `create_dynamic_map`.
class DynamicMap {
 public:
  [[nodiscard]] static DynamicMap const& with_sign() {
    static DynamicMap const map(true);
    return map;
  }
  [[nodiscard]] static DynamicMap const& without_sign() {
    static DynamicMap const map(false);
    return map;
  }

  [[nodiscard]] std::array<float, 256> const& values() const { return values_; }
  [[nodiscard]] float operator[](std::uint8_t code) const { return values_[code]; }

  /// The code for x in [-1, 1], as bitsandbytes' CPU library finds it: x goes to the nearest of 65536 even steps, that to the
  /// nearest value, to the lower of two.
  [[nodiscard]] std::uint8_t code(float x) const {
    x = x > -1.0f ? std::min(x, 1.0f) : -1.0f;  // NaN too
    float const step = (x + 1.0f) * 0.5f * 65535.0f;
    return codes_[static_cast<std::uint16_t>(step + 0.5f)];
  }

 private:
  explicit DynamicMap(bool with_sign) : codes_(65536) {
    std::vector<float> values{0.0f, 1.0f};
    for (int decade = 0; decade < 7; ++decade) {
      Index const steps = Index{1} << (with_sign ? decade : decade + 1);
      auto const factor = static_cast<float>(std::pow(10.0, decade - 6));
      for (Index i = 0; i < steps; ++i) {
        float const value = factor * ((edge(i, steps) + edge(i + 1, steps)) / 2.0f);
        values.push_back(value);
        if (with_sign) values.push_back(-value);
      }
    }
    std::sort(values.begin(), values.end());
    std::copy(values.begin(), values.end(), values_.begin());
    std::size_t code = 0;
    for (std::size_t i = 0; i < codes_.size(); ++i) {
      float const value = -1.0f + 2.0f * static_cast<float>(i) / 65535.0f;
      while (code < 255 && 0.5f * (values_[code] + values_[code + 1]) < value) ++code;
      codes_[i] = static_cast<std::uint8_t>(code);
    }
  }

  /// torch.linspace(0.1, 1, steps + 1)[i]: from both ends to the middle, rounded once.
  static float edge(Index i, Index steps) {
    float const step = (1.0f - 0.1f) / static_cast<float>(steps);
    bool const low = i < (steps + 1) / 2;
    return low ? std::fma(step, static_cast<float>(i), 0.1f) : std::fma(-step, static_cast<float>(steps - i), 1.0f);
  }

  std::array<float, 256> values_;
  std::vector<std::uint8_t> codes_;
};

/// Codes of up to a block of values, of which `absmax` becomes the largest magnitude: value = map[code]·absmax. A block of
/// zeros gets the code 0, as in bitsandbytes.
inline void encode_dynamic(DynamicMap const& map, float const* values, Index count, float& absmax, std::byte* codes) {
  absmax = 0;
  for (Index i = 0; i < count; ++i) absmax = std::max(absmax, std::abs(values[i]));
  float const inverse = 1.0f / absmax;
  for (Index i = 0; i < count; ++i) codes[i] = absmax == 0.0f ? std::byte{0} : std::byte{map.code(values[i] * inverse)};
}

}  // namespace graft
