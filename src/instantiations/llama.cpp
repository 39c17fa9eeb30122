// SPDX-License-Identifier: Apache-2.0
#include <graft/model/instantiations.hpp>

template class graft::Transformer<graft::Llama, float, graft::DefaultBackend, graft::Lora>;
template class graft::Transformer<graft::Llama, float, graft::DefaultBackend, graft::FullFineTune>;
template class graft::Transformer<graft::Llama, float, graft::DefaultBackend, graft::Frozen>;
