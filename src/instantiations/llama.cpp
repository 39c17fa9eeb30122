// SPDX-License-Identifier: Apache-2.0
#define GRAFT_INSTANTIATE
#include <graft/train/instantiations.hpp>
