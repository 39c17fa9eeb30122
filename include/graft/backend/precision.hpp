// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace graft {

/// What the products with stored weights (`linear_forward`, `linear_backward_input`) multiply. `bf16` rounds activations
/// and weights to bf16 (to nearest, ties to even) and accumulates in float; everything else stays in float.
/// `int8` multiplies frozen weights and activations in integers of 8 bits with a scale for each 32 elements along the
/// contraction, forward and backward, for more than 16 tokens; weights that are `exact` (trained ones) stay in float.
/// It concerns float arithmetic only: double is never rounded.
enum class Precision : std::uint8_t { f32, bf16, int8 };

}  // namespace graft
