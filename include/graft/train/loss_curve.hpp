// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/train/metrics_log.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace graft {

/// What a loss curve shows.
struct LossCurve {
  std::string title = "Training loss";
  std::vector<MetricsRow> rows{};            ///< training loss (as it was, and smoothed) and learning rate over steps
  std::vector<EvaluationRow> evaluations{};  ///< held-out loss, dots joined by a line
  bool learning_rate = true;                 ///< as a thin dashed line with a scale on the right
};

/// The picture as SVG text: self-contained, transparent, in mid-tones that read on light and on dark ground. The loss axis
/// is logarithmic when the losses span more than a factor of 30. Values that are not finite leave a gap. The smoothed
/// line is an exponential mean over about a thirtieth of the run, corrected for its start.
[[nodiscard]] std::string loss_curve_svg(LossCurve const& curve);

/// Writes the picture; the file appears whole. Errors: as `AtomicFile`.
void write_loss_curve(std::filesystem::path const& path, LossCurve const& curve);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/train/loss_curve.tpp>
#endif
