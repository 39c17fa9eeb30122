// SPDX-License-Identifier: Apache-2.0
#include "architectures.hpp"

#include <graft/io/build_model.hpp>
#include <graft/model/qwen2.hpp>

cli::Model cli::build_qwen2(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend) {
  return Model(graft::build_model<graft::Qwen2, float>(files, adapter, backend));
}

cli::PlannedModel cli::plan_qwen2(graft::ModelConfig const& config, graft::Selected const& adapter, graft::Dry& dry,
                                graft::WeightProvider const& weights) {
  return planned<graft::Qwen2>(config, adapter, dry, weights);
}
