// SPDX-License-Identifier: Apache-2.0
#include <graft/backend/cpu_backend.tpp>
