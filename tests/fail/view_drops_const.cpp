// SPDX-License-Identifier: Apache-2.0
// expect: no matching function|no viable conversion|could not convert|conversion from
// A read-only view must not become a writable one.
#include <graft/core/view.hpp>

void write(graft::Out<float> out);

void attempt(graft::In<float> in) { write(in); }
