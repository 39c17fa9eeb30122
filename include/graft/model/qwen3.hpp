// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/llama.hpp>

namespace graft {

/// Qwen3: the Llama block with an RMSNorm over each head of q and k, before the rotation.
/// Source: Yang et al., "Qwen3 technical report", 2025.
struct Qwen3 : Llama {
  static constexpr std::array<std::string_view, 1> model_types{"qwen3"};
  static constexpr bool qk_norm = true;
};

}  // namespace graft
