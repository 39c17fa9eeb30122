// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/scalar.hpp>
#include <graft/data/cursor.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace graft {

/// Where a run stands, beside its weights and its optimizer's state.
struct TrainerState {
  Index step = 0;
  DataCursor cursor;
  std::uint64_t dropout_pass = 0;
  std::optional<double> best_metric;  ///< lowest held-out NLL per token
  Index best_step = 0;
  Index evaluations_without_gain = 0;
  std::map<std::string, double> values;        ///< what else a trainer carries along, such as PPO's KL coefficient
  std::map<std::string, std::string> options;  ///< what must be the same for a resumed run to be the same run

  friend bool operator==(TrainerState const&, TrainerState const&) = default;
};

/// Writes trainer_state.json into `directory`.
void write_trainer_state(std::filesystem::path const& directory, TrainerState const& state);
/// Errors: a file that is missing, no JSON, or lacks a key.
[[nodiscard]] TrainerState read_trainer_state(std::filesystem::path const& directory);

/// Refuses to resume a run with other options than those it began with, and names them.
void check_same_options(TrainerState const& state, std::map<std::string, std::string> const& options,
                        std::filesystem::path const& checkpoint);

/// The step of a complete checkpoint in a directory checkpoint-<step>; nothing for any other file or directory.
[[nodiscard]] std::optional<Index> checkpoint_step(std::filesystem::path const& directory);

/// The complete checkpoint-<step> with the highest step in `output`, if there is one.
[[nodiscard]] std::optional<std::filesystem::path> latest_checkpoint(std::filesystem::path const& output);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/train/trainer_state.tpp>
#endif
