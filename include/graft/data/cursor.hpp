// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <cstdint>

namespace graft {

/// Where training stands in its data: enough to go on with the very next record, in a new process too. Plain integers,
/// for checkpoints.
struct DataCursor {
  std::uint64_t seed = 0;
  Index epoch = 0;                ///< epochs finished
  Index position = 0;             ///< records of the current epoch already taken
  std::uint64_t fingerprint = 0;  ///< of the data and its order: `seek` refuses a cursor into other data
  friend bool operator==(DataCursor const&, DataCursor const&) = default;
};

}  // namespace graft
