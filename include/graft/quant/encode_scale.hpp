// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/quant/storage.hpp>

#include <cmath>

namespace graft::detail {

/// The scale as it is stored. Error: too large for a half.
[[nodiscard]] inline f16 encode_scale(float d, Storage storage) {
  f16 const half = to_f16(d);
  require(std::isfinite(to_float(half)), "quant", "values are too large for the half-precision scale of ", name(storage),
          ": the scale would be ", d);
  return half;
}

[[nodiscard]] inline float inverse_scale(float d) {
  float const inverse = 1.0f / d;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

}  // namespace graft::detail
