// SPDX-License-Identifier: Apache-2.0
// expect: the second argument must model graft::Loss: an aggregate with a nested Batch, callable as
// A callable that forgets to say what it reads, where a loss is wanted.
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/train/value_and_grad.hpp>

struct NoLoss {
  double operator()(std::span<graft::TokenStats const> stats) const { return -stats[0].target_logprob; }
};

void attempt(graft::Transformer<graft::Llama, float, graft::Reference, graft::Lora>& model, graft::TokenBatch const& batch) {
  graft::value_and_grad(model, NoLoss{}, batch);
}
