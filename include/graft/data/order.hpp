// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/core/scalar.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace graft {

/// The order in which an epoch goes through n records: a Fisher–Yates shuffle that is a pure function of (seed, epoch),
/// or the file's order. So any epoch can be begun anywhere without replaying those before it.
[[nodiscard]] inline std::vector<Index> epoch_order(Index n, std::uint64_t seed, Index epoch, bool shuffled) {
  std::vector<Index> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  if (shuffled) {
    Rng rng(seed, static_cast<std::uint64_t>(epoch));
    shuffle(order, rng);
  }
  return order;
}

}  // namespace graft
