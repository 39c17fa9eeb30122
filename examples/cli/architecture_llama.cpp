// SPDX-License-Identifier: Apache-2.0
#include "architectures.hpp"

#include <graft/io/build_model.hpp>
#include <graft/model/llama.hpp>

cli::Model cli::build_llama(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend) {
  return Model(graft::build_model<graft::Llama, float>(files, adapter, backend));
}

cli::PlannedModel cli::plan_llama(graft::ModelConfig const& config, graft::Selected const& adapter, graft::Dry& dry,
                                graft::WeightProvider const& weights) {
  return planned<graft::Llama>(config, adapter, dry, weights);
}
