// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>


#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cli {

/// What a finished stage of a pipeline left in OUTPUT/stages/<name>.json.
struct StageRecord {
  std::string name;
  double seconds = 0;         ///< of the process that finished it
  graft::Index peak_bytes = 0;  ///< largest resident set in that time
  bool resumed = false;       ///< it had been begun before, so seconds are not all
  std::uint64_t input = 0;    ///< fingerprint of its input file, 0 without one
};

/// The stages of a pipeline, which leave their results under OUTPUT. A stage that is finished is passed over; one that was begun goes on.
class Stages {
 public:
  /// `until`: the last stage to do, or "" for all.
  Stages(std::filesystem::path output, std::string until);

  /// Does work(resume), unless stage `name` is finished. `input`: the file it learns from; a stage that was done with another content is
  /// an error. Returns false where the pipeline is to end here.
  bool run(std::string const& name, std::filesystem::path const& input, std::function<void(bool resume)> const& work);

  [[nodiscard]] std::filesystem::path path(std::string const& name) const { return output_ / name; }
  [[nodiscard]] std::vector<StageRecord> const& done() const { return done_; }
  [[nodiscard]] bool finished(std::string const& name) const;
  /// What this process did, or found done; nullptr for another stage.
  [[nodiscard]] StageRecord const* find(std::string const& name) const;

 private:
  std::filesystem::path output_;
  std::string until_;
  std::vector<StageRecord> done_;
};

}  // namespace cli
