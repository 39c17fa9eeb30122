// SPDX-License-Identifier: Apache-2.0
#include "architectures.hpp"

#include <graft/io/build_model.hpp>
#include <graft/model/qwen3.hpp>

cli::Model cli::build_qwen3(graft::ModelFiles const& files, graft::Selected const& adapter, Backend& backend) {
  return Model(graft::build_model<graft::Qwen3, float>(files, adapter, backend));
}
