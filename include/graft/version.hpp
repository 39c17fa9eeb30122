// SPDX-License-Identifier: Apache-2.0
#pragma once

// CMake reads the three numbers from here: this file is the only place that states the version.
#define GRAFT_VERSION_MAJOR 0
#define GRAFT_VERSION_MINOR 1
#define GRAFT_VERSION_PATCH 0
#define GRAFT_VERSION_STRING "0.1.0"

namespace graft {

/// The version of these headers, "major.minor.patch".
inline constexpr char const* version = GRAFT_VERSION_STRING;

}  // namespace graft
