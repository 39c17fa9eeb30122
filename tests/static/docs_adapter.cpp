// SPDX-License-Identifier: Apache-2.0
// The snippets of docs/adapter.md, between the markers. Compiling is the test.
#include <graft/adapter/full_fine_tune.hpp>
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>

namespace docs_adapter {

using namespace graft;

// docs: settings
auto const everywhere = Lora{.rank = 16, .alpha = 32};
auto const attention_only = Lora{.rank = 8, .alpha = 16, .target_modules = {"q_proj", "v_proj"}};
auto const upper_layers = Lora{.rank = 8, .target_modules = TargetModules::regex(R"(model\.layers\.2\d\..*_proj)")};
auto const with_head = Lora{.rank = 8, .modules_to_save = {"lm_head"}};
auto const all_but_embedding = FullFineTune{.frozen_parameters = {"embed_tokens.weight"}};
// docs: end

// docs: check
template <class A>
concept WorksInBothScalars = Adapter<A, float, Reference> && Adapter<A, double, Reference>;
static_assert(WorksInBothScalars<Lora>);
// docs: end

}  // namespace docs_adapter
