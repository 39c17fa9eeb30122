// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session.hpp"
#include "training_flags.hpp"

#include <graft/data/cursor.hpp>
#include <graft/loss/token_batch.hpp>
#include <graft/model/transformer.hpp>
#include <graft/optim/any_optimizer.hpp>
#include <graft/train/reference_policy.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace cli {

using Optimizer = graft::AnyOptimizer<float, Backend>;
using PolicyReference = graft::ReferencePolicy<Model>;

/// The adapter that the flags, or the directory to start from, describe.
[[nodiscard]] graft::Selected adapter_of(TrainingFlags const& flags);

/// The optimizer that the flags name, at work on these parameters.
[[nodiscard]] Optimizer bind_optimizer(TrainingFlags const& flags, graft::Trainable<float, Backend> const& trainable);

/// The reference `kind`, initial or base, of the session's model as it is now. Error: a base without adapter where there is none.
[[nodiscard]] PolicyReference reference_of(TrainingFlags const& flags, std::string const& kind, Session& session);

/// The directory for what is paged, which is made if need be.
[[nodiscard]] std::filesystem::path page_directory(TrainingFlags const& flags);

/// --max-grad-norm as a bound: 0 is none.
[[nodiscard]] double gradient_bound(TrainingFlags const& flags);

[[nodiscard]] graft::Recompute recompute_of(TrainingFlags const& flags);

/// The optimizer steps of a run: --max-steps, or what --epochs takes. Error: there are none.
[[nodiscard]] graft::Index total_steps(TrainingFlags const& flags, graft::Index steps_per_epoch);

/// Writes the adapter, or the whole model, to --output.
void save_result(TrainingFlags const& flags, Session const& session);

/// The largest micro-batch of the next `steps` steps: what memory is planned for. Leaves the data where it was.
template <class Batch, class Data>
[[nodiscard]] graft::BatchExtent largest_batch(Data& data, graft::Index steps) {
  graft::BatchExtent extent;
  auto const cursor = data.cursor();
  std::vector<Batch> step;
  for (graft::Index i = 0; i < steps; ++i) {
    data.next_step(step);
    for (auto const& batch : step) {
      extent.tokens = std::max(extent.tokens, batch.tokens());
      extent.supervised = std::max(extent.supervised, batch.supervised());
      extent.sequences = std::max(extent.sequences, batch.sequences());
    }
  }
  data.seek(cursor);
  return extent;
}

}  // namespace cli
