// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/backend/cpu_backend.hpp>

namespace graft {

/// The backend of programs that name none: oneDNN's products where graft was configured with it, else Eigen's.
using DefaultBackend = CpuBackend;

}  // namespace graft
