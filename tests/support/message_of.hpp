// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>

#include <string>

namespace graft::test {

/// What the `graft::Error` says that `f` throws; "no error" where it throws none.
template <class F>
[[nodiscard]] std::string message_of(F&& f) {
  try {
    f();
  } catch (Error const& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace graft::test
