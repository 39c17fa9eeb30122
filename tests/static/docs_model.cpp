// SPDX-License-Identifier: Apache-2.0
// The snippets of docs/model.md, between the markers. Compiling is the test.
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/generate.hpp>
#include <graft/model/llama.hpp>

namespace docs_model {

using namespace graft;

// docs: fit
/// Takes the fastest level whose activations and scratch fit into `limit` bytes, and reserves them.
template <class Model>
StepPlan fit(Model& model, BatchExtent largest, std::size_t limit) {
  for (Recompute const level : {Recompute::none, Recompute::selective, Recompute::full}) {
    model.set_recompute(level);
    if (model.plan(largest).arena_bytes <= limit) return model.reserve(largest);
  }
  fail("fit", "a step of ", largest.tokens, " tokens needs ", model.plan(largest).arena_bytes, " bytes, more than ", limit);
}
// docs: end

// docs: generate
template <class Model>
std::vector<Generation> three_drafts(Model& model, std::vector<std::int32_t> const& prompt, std::int32_t end) {
  std::vector<std::vector<std::int32_t>> const prompts(3, prompt);
  return generate(model, prompts, {.max_new_tokens = 64,
                                   .sampling = {.greedy = false, .temperature = 0.7, .top_p = 0.9, .seed = 1},
                                   .stop_ids = {end}});
}
// docs: end

using Trained = Transformer<Llama, double, Reference, Lora>;
template StepPlan fit(Trained&, BatchExtent, std::size_t);
template std::vector<Generation> three_drafts(Trained&, std::vector<std::int32_t> const&, std::int32_t);

}  // namespace docs_model
