// SPDX-License-Identifier: Apache-2.0
#include <graft/adapter/leading_svd.tpp>
#include <graft/backend/eigen.tpp>
