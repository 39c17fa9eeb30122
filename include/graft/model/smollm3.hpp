// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/llama.hpp>

namespace graft {

/// SmolLM3: the Llama block, in which some layers (every fourth, by default) do not rotate q and k; the configuration lists
/// them (`ModelConfig::layer_uses_rope`), so the modules and the type are Llama's.
/// Sources: Bakouch et al., "SmolLM3", 2025; Yang et al., "Rope to Nope and back again", 2025.
using SmolLm3 = Llama;

}  // namespace graft
