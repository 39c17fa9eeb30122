// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace graft {

/// What the products with stored weights (`linear_forward`, `linear_backward_input`) multiply. One to four tokens are bound
/// by reading the weights and stay in float; so do up to 16 where the processor lacks AVX512_BF16.
/// `bf16` rounds activations and weights to bf16 (to nearest, ties to even) and accumulates in float.
/// `int8` multiplies frozen weights and activations in integers of 8 bits with a scale for each 32 elements along the
/// contraction, forward and backward; weights that are `exact` (trained ones) stay in float; 5 to 16 tokens are multiplied in bf16.
/// With both, the products of attention over packed sequences are of bf16 (its softmax float) where the processor has
/// AVX512_BF16 and a head has a multiple of 32 elements. Everything else stays in float.
/// It concerns float arithmetic only: double is never rounded.
enum class Precision : std::uint8_t { f32, bf16, int8 };

/// As flags spell it: "f32", "bf16" or "int8".
[[nodiscard]] constexpr std::string_view name(Precision precision) {
  return precision == Precision::int8 ? "int8" : precision == Precision::bf16 ? "bf16" : "f32";
}

}  // namespace graft
