// SPDX-License-Identifier: Apache-2.0
#include <graft/version.hpp>

namespace graft {

/// The version that `graft::compiled` was built from; compare it with `graft::version` of the headers in use.
char const* compiled_version() noexcept { return GRAFT_VERSION_STRING; }

}  // namespace graft
