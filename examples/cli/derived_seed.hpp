// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/core/scalar.hpp>

#include <cstdint>

namespace cli {

/// The sampler's seed of part n of a run, for one purpose: a function of the run's seed, so that a resumed run draws what the first
/// would have drawn.
[[nodiscard]] inline std::uint64_t derived_seed(std::uint64_t seed, std::uint64_t purpose, graft::Index n) {
  auto const block = graft::Philox{seed, purpose}.block(static_cast<std::uint64_t>(n));
  return static_cast<std::uint64_t>(block[0]) << 32 | block[1];
}

}  // namespace cli
