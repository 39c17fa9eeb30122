// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/config.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace graft {

/// The angles of rotary positions: pair i of a head turns by position·inverse[i]; cos and sin are multiplied by `factor`.
struct RopeFrequencies {
  std::vector<double> inverse;  // (D/2)
  double factor = 1;
};

/// θ_i = base^(-2i/D), changed as `scaling` says (see `RopeScaling`). Sources: Su et al., "RoFormer", 2021, section 3.2;
/// Peng et al., "YaRN", 2023, section 3; Llama 3.1's released configuration. Computed as transformers' ROPE_INIT_FUNCTIONS.
/// `stretch` is what dynamic scaling needs: the sequence's length over max_position_embeddings, 1 if it is shorter.
[[nodiscard]] RopeFrequencies rope_frequencies(Index head_dim, double base, RopeScaling const& scaling,
                                               double stretch = 1);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/model/rope_frequencies.tpp>
#endif
