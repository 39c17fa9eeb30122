// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/llama.hpp>

namespace graft {

/// Qwen2 and Qwen2.5: the Llama block with biases on q, k and v. Source: Yang et al., "Qwen2 technical report", 2024.
struct Qwen2 : Llama {
  static constexpr std::array<std::string_view, 1> model_types{"qwen2"};
  static constexpr bool qkv_bias = true;
};

}  // namespace graft
