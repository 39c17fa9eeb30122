// SPDX-License-Identifier: Apache-2.0
#pragma once

// With `graft::compiled`, these are in the library and no program compiles them again. Another combination is compiled where
// it is used, as without the library. src/instantiations/ defines GRAFT_INSTANTIATE as nothing and so makes them.
#ifdef GRAFT_COMPILED

#include <graft/adapter/frozen.hpp>
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/default_backend.hpp>
#include <graft/data/batches.hpp>
#include <graft/io/load.hpp>
#include <graft/io/peft.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/bind.hpp>
#include <graft/optim/clip.hpp>
#include <graft/train/value_and_grad.hpp>

#include <filesystem>
#include <string>

#ifndef GRAFT_INSTANTIATE
#define GRAFT_INSTANTIATE extern
#endif

namespace graft {

GRAFT_INSTANTIATE template class Transformer<Llama, float, DefaultBackend, Lora>;
GRAFT_INSTANTIATE template class Transformer<Llama, float, DefaultBackend, FullFineTune>;
GRAFT_INSTANTIATE template class Transformer<Llama, float, DefaultBackend, Frozen>;
GRAFT_INSTANTIATE template class Transformer<Llama, float, Dry, Lora>;
GRAFT_INSTANTIATE template class Transformer<Llama, float, Dry, FullFineTune>;
GRAFT_INSTANTIATE template class Transformer<Llama, float, Dry, Frozen>;
GRAFT_INSTANTIATE template class LanguageModel<Llama, float, DefaultBackend, Lora>;
GRAFT_INSTANTIATE template class LanguageModel<Llama, float, DefaultBackend, FullFineTune>;
GRAFT_INSTANTIATE template class LanguageModel<Llama, float, DefaultBackend, Frozen>;
GRAFT_INSTANTIATE template class BatchStream<Dataset>;
GRAFT_INSTANTIATE template class BasicState<float, DefaultBackend>;
GRAFT_INSTANTIATE template class AdamW::State<float, DefaultBackend>;
GRAFT_INSTANTIATE template class Bound<AdamW, float, DefaultBackend>;
GRAFT_INSTANTIATE template double clip_grad_norm(Trainable<float, DefaultBackend> const&, double);
GRAFT_INSTANTIATE template void save_peft(LanguageModel<Llama, float, DefaultBackend, Lora> const&,
                                          std::filesystem::path const&, std::string const&);
GRAFT_INSTANTIATE template LossReport value_and_grad(LanguageModel<Llama, float, DefaultBackend, Lora>&,
                                                     CrossEntropy const&, TokenBatch const&);
GRAFT_INSTANTIATE template LossReport value_and_grad(LanguageModel<Llama, float, DefaultBackend, FullFineTune>&,
                                                     CrossEntropy const&, TokenBatch const&);

}  // namespace graft

#endif
