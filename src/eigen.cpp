// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/eigen.tpp>
