// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "training_setup.hpp"

#include <graft/loss/metrics.hpp>
#include <graft/model/layer_stream.hpp>
#include <graft/train/memory_plan.hpp>
#include <graft/train/peak_rss.hpp>

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>

namespace cli {

/// Bytes of optimizer state for each trained parameter.
[[nodiscard]] graft::StateBytes state_bytes(TrainingFlags const& flags);

/// Lets the model page its activations if the flags say so: before memory is planned.
template <class AnyModel>
void page_activations(TrainingFlags const& flags, AnyModel& model) {
  if (flags.paged_activations) model.page_activations(page_directory(flags));
}

/// A plan as a table, a line a part.
void print_plan(std::ostream& out, graft::MemoryPlan const& plan);

/// Says what was chosen.
void report_layout(graft::StepLayout const& layout, std::size_t limit);

/// How often a step is cut, by what a checkpoint's options say: a resumed run cuts as before, or its sums round otherwise.
[[nodiscard]] std::optional<graft::Index> recorded_micro_batches(std::filesystem::path const& output);

/// With --memory-limit: chooses saving level and micro-batches, tells the model and the data, and notes the number of
/// micro-batches in the run's options. `program` is what the process takes without the model. Returns the micro-batches of a
/// step.
template <class Batch, class Model, class Data>
graft::Index fit_run(TrainingFlags const& flags, RunOptions& options, std::size_t program, graft::Index steps, Model& model, Data& data) {
  if (flags.memory_limit == 0) return flags.gradient_accumulation;
  auto const recorded = flags.resume ? recorded_micro_batches(flags.output) : std::nullopt;
  auto const extent_of = [&](graft::Index count) {
    data.set_gradient_accumulation(recorded.value_or(count));
    return largest_batch<Batch>(data, steps);
  };
  auto const most = recorded ? graft::Index{1} : flags.batch_size;
  auto layout = graft::fit_memory(model, flags.memory_limit, most, state_bytes(flags), program, extent_of);
  layout.micro_batches = recorded.value_or(layout.micro_batches);
  data.set_gradient_accumulation(layout.micro_batches);
  set_option(options, "gradient-accumulation", layout.micro_batches);
  if (layout.window > 0) model.stream_layers(layout.window);
  report_layout(layout, flags.memory_limit);
  return layout.micro_batches;
}

/// What streaming the base came to so far, by name; empty for a base that stays in memory.
[[nodiscard]] graft::Metrics stream_metrics(graft::StreamStatistics const& stream);

/// What streaming the base came to in a run of `steps` steps that took `seconds`; nothing for a base that stays in memory.
void report_stream(graft::StreamStatistics const& stream, graft::Index steps, double seconds);

}  // namespace cli
