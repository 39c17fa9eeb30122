// SPDX-License-Identifier: Apache-2.0
#include "all_headers_forward.hpp"

#include <cstdio>

void const* address_seen_backward();

/// The linker must have made one function out of the two definitions.
int main() {
  void const* const here = reinterpret_cast<void const*>(&graft::num_threads);
  if (here == address_seen_backward()) return 0;
  std::puts("graft::num_threads is another function in the other translation unit");
  return 1;
}
