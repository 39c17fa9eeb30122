// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/data/batch_plan.hpp>

#include <graft/config.hpp>
#include <graft/core/error.hpp>

namespace graft {

GRAFT_INLINE void validate(BatchOptions const& options) {
  require(options.batch_size >= 0, "data", "batch_size must not be negative: got ", options.batch_size);
  require(options.tokens_per_batch >= 0, "data", "tokens_per_batch must not be negative: got ",
          options.tokens_per_batch);
  require(options.batch_size > 0 || options.tokens_per_batch > 0, "data",
          "batch_size or tokens_per_batch must be given");
  require(options.gradient_accumulation >= 1, "data", "gradient_accumulation must be at least 1: got ",
          options.gradient_accumulation);
  require(options.batch_size == 0 || options.gradient_accumulation <= options.batch_size, "data",
          "gradient_accumulation must be at most batch_size, the records of a step: got ",
          options.gradient_accumulation, " with batch_size=", options.batch_size);
}

}  // namespace graft
