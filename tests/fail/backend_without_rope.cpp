// SPDX-License-Identifier: Apache-2.0
// expect: B must model graft::Backend – see docs/backend.md for its operations
// A backend that lacks one operation, given to a model.
#include <graft/adapter/frozen.hpp>
#include <graft/backend/reference.hpp>
#include <graft/model/llama.hpp>
#include <graft/model/transformer.hpp>

struct WithoutRope : graft::Reference {
  void rope() = delete;
};

graft::Transformer<graft::Llama, float, WithoutRope, graft::Frozen>* attempt(WithoutRope& backend, graft::WeightProvider const& weights) {
  return new graft::Transformer<graft::Llama, float, WithoutRope, graft::Frozen>({}, {}, backend, weights);
}
