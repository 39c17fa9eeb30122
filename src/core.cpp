// SPDX-License-Identifier: Apache-2.0
#include <graft/core/error.tpp>
