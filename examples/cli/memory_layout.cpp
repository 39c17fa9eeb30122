// SPDX-License-Identifier: Apache-2.0
#include "memory_layout.hpp"

#include <graft/train/progress.hpp>
#include <graft/train/trainer_state.hpp>

#include <charconv>
#include <iomanip>
#include <iostream>
#include <utility>

namespace cli {

graft::StateBytes state_bytes(TrainingFlags const& flags) {
  if (flags.optimizer == "paged_adamw") return {0, 8};
  if (flags.optimizer == "paged_lion") return {0, 4};
  if (flags.optimizer == "paged_adamw8bit") return {0.1, 2};  // the scales, and parameters that keep floats
  if (flags.optimizer == "paged_lion8bit") return {0.1, 1};
  if (flags.optimizer == "adamw") return 8;
  if (flags.optimizer == "lion") return 4;
  if (flags.optimizer == "sgd") return flags.momentum != 0 ? 4 : 0;
  if (flags.optimizer == "adafactor") return 0.5;  // a row and a column of each matrix
  if (flags.optimizer == "lion8bit") return 1.1;
  return 2.1;  // adamw8bit
}

void print_plan(std::ostream& out, graft::MemoryPlan const& plan) {
  std::pair<char const*, std::size_t> const parts[] = {{"program, tokenizer, data", plan.program},
                                                       {"base, frozen", plan.base},
                                                       {"trained weights", plan.trained},
                                                       {"gradients", plan.gradients},
                                                       {"optimizer", plan.optimizer},
                                                       {"activations and scratch", plan.activations},
                                                       {"backend", plan.scratch},
                                                       {"peak", plan.total()}};
  for (auto const& [name, bytes] : parts)
    out << std::left << std::setw(26) << name << std::right << std::setw(12)
        << graft::format_bytes(static_cast<double>(bytes)) << '\n';
  if (plan.paged > 0) out << "and paged to disk, " << graft::format_bytes(static_cast<double>(plan.paged)) << "\n";
}

void report_layout(graft::StepLayout const& layout, std::size_t limit) {
  char const* const levels[] = {"none", "selective", "full"};
  std::cerr << "to stay below " << graft::format_bytes(static_cast<double>(limit)) << ": " << layout.micro_batches
            << " micro-batches a step, recomputation " << levels[static_cast<int>(layout.recompute)] << ", planned peak "
            << graft::format_bytes(static_cast<double>(layout.memory.total()));
  if (layout.window > 0)
    std::cerr << "; the base is streamed, " << graft::format_bytes(static_cast<double>(layout.window)) << " of its layers in memory and "
              << graft::format_bytes(static_cast<double>(layout.memory.streamed)) << " on disk";
  std::cerr << '\n';
}

graft::Metrics stream_metrics(graft::StreamStatistics const& stream) {
  graft::Metrics metrics;
  if (stream.bytes == 0) return metrics;
  metrics.add("streamed_bytes", static_cast<double>(stream.bytes));
  metrics.add("stream_read_seconds", stream.read_seconds);
  metrics.add("stream_wait_seconds", stream.wait_seconds);
  return metrics;
}

void report_stream(graft::StreamStatistics const& stream, graft::Index steps, double seconds) {
  if (stream.bytes == 0 || steps == 0) return;
  auto const gigabytes = static_cast<double>(stream.bytes) * 1e-9;
  auto const old = std::cerr.precision(3);
  std::cerr << "streamed " << gigabytes / static_cast<double>(steps) << " GB of the base a step, at " << gigabytes / stream.read_seconds
            << " GB/s; reading took " << stream.read_seconds << " s of " << seconds << " s, beside the computation, which waited for "
            << stream.wait_seconds << " s (" << 100 * stream.wait_seconds / seconds << " %)\n";
  std::cerr.precision(old);
}

std::optional<graft::Index> recorded_micro_batches(std::filesystem::path const& output) {
  auto const checkpoint = graft::latest_checkpoint(output);
  if (!checkpoint) return std::nullopt;
  auto const options = graft::read_trainer_state(*checkpoint).options;
  auto const found = options.find("gradient-accumulation");
  graft::Index count = 0;
  if (found == options.end()) return std::nullopt;
  std::from_chars(found->second.data(), found->second.data() + found->second.size(), count);
  return count > 0 ? std::optional(count) : std::nullopt;
}

}  // namespace cli
