// SPDX-License-Identifier: Apache-2.0
// expect: Callbacks = {Misspelled}.*evaluated to .*false|because 'Misspelled' does not satisfy 'Callback'
// A callback whose only hook is misspelled would never be called: train refuses it.
#include <graft/adapter/lora.hpp>
#include <graft/backend/reference.hpp>
#include <graft/data/batches.hpp>
#include <graft/loss/cross_entropy.hpp>
#include <graft/model/llama.hpp>
#include <graft/optim/adamw.hpp>
#include <graft/optim/schedule.hpp>
#include <graft/train/train.hpp>

struct Misspelled {
  graft::Flow on_step_ended(graft::StepContext const&) { return graft::Flow::proceed; }
};

using Model = graft::Transformer<graft::Llama, float, graft::Reference, graft::Lora>;

void attempt(Model& model, graft::Bound<graft::AdamW, float, graft::Reference>& optimizer, graft::Batches& data) {
  Misspelled callback;
  graft::train(model, graft::CrossEntropy{}, optimizer, [](graft::Index) { return 1e-3; }, data, {.total_steps = 1}, callback);
}
