// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"

#include <graft/train/evaluate.hpp>

#include <string>

namespace cli {

struct NllFlags {
  std::string data;
  graft::Index max_length = 8192;
  graft::Index tokens_per_batch = 2048;
};

/// NLL of every record of a file, in file order; a record without a supervised token has 0 tokens.
[[nodiscard]] graft::Evaluation record_nll(Session& session, ModelFlags const& model, NllFlags const& flags, bool adapters);

}  // namespace cli
