// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"

#include <graft/backend/dry.hpp>

namespace cli {

// One translation unit each: they build side by side.
[[nodiscard]] Model build_llama(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);
[[nodiscard]] Model build_qwen2(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);
[[nodiscard]] Model build_qwen3(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);
[[nodiscard]] Model build_gemma3(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);
[[nodiscard]] Model build_gpt2(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend);

// A model that only plans.
using PlannedModel = graft::AnyTransformer<float, graft::Dry, graft::Selected>;

template <class Arch>
[[nodiscard]] PlannedModel planned(graft::ModelConfig const& config, graft::Selected const& adapter, graft::Dry& dry,
                                   graft::WeightProvider const& weights) {
  return PlannedModel(std::make_unique<graft::Transformer<Arch, float, graft::Dry, graft::Selected>>(config, adapter, dry, weights));
}
using PlanFunction = PlannedModel(graft::ModelConfig const&, graft::Selected const&, graft::Dry&, graft::WeightProvider const&);
PlanFunction plan_llama, plan_qwen2, plan_qwen3, plan_gemma3, plan_gpt2;

/// The sizes that a --model names which is no file. Error: there is no such size either.
[[nodiscard]] graft::ModelConfig published_sizes(std::string const& name);

/// Builds such a model of whatever architecture the configuration is.
[[nodiscard]] PlannedModel plan_any(graft::ModelConfig const& config, graft::Selected const& adapter, graft::Dry& dry,
                                    graft::WeightProvider const& weights);

}  // namespace cli
