// SPDX-License-Identifier: Apache-2.0
#pragma once

// With `graft::compiled`, these are in the library and no program compiles them again. Another combination is compiled where
// it is used, as without the library.
#ifdef GRAFT_COMPILED

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/default_backend.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/transformer.hpp>

namespace graft {

extern template class Transformer<Llama, float, DefaultBackend, Lora>;
extern template class Transformer<Llama, float, DefaultBackend, FullFineTune>;
extern template class Transformer<Llama, float, DefaultBackend, Frozen>;

}  // namespace graft

#endif
