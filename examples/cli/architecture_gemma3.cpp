// SPDX-License-Identifier: Apache-2.0
#include "architectures.hpp"

#include <graft/io/build_model.hpp>
#include <graft/model/gemma3.hpp>

cli::Model cli::build_gemma3(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend) {
  return Model(graft::build_model<graft::Gemma3, float>(files, adapter, backend));
}

cli::PlannedModel cli::plan_gemma3(graft::ModelConfig const& config, graft::Selected const& adapter, graft::Dry& dry,
                                graft::WeightProvider const& weights) {
  return planned<graft::Gemma3>(config, adapter, dry, weights);
}
