// SPDX-License-Identifier: Apache-2.0
#include <graft/core/scalar.hpp>
#include <graft/version.hpp>

#include <cstdio>

int main() {
  std::printf("graft %s\n", graft::version);
  return graft::to_float(graft::to_bf16(0.5f)) == 0.5f ? 0 : 1;
}
