// SPDX-License-Identifier: Apache-2.0
#ifdef GRAFT_WITH_ONEDNN
#include <graft/backend/onednn.tpp>
#endif
