// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/optim/schedule.hpp>

#include <string_view>
#include <variant>

namespace graft {

/// Numbers from which a schedule with a name is made. A schedule takes those that it has.
struct ScheduleOptions {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;
  Index total_steps = 0;
  double min_lr = 0;
};

/// A schedule chosen at run time, for command lines and checkpoints.
class NamedSchedule {
 public:
  /// The names that the constructor takes, those of transformers.
  static constexpr std::string_view names = "constant, constant_with_warmup, linear, cosine";

  /// Errors: [schedule] for a name that is none of `names`, for a peak_lr or min_lr that is negative, not finite or the
  /// wrong way round, and for warmup_steps or total_steps that leave no step to decay in.
  NamedSchedule(std::string_view name, ScheduleOptions const& options) {
    auto const& [peak_lr, warmup_steps, total_steps, min_lr] = options;
    require(std::isfinite(peak_lr) && peak_lr >= 0, "schedule", "the learning rate must be finite and 0 or more: got ",
            peak_lr);
    require(min_lr >= 0 && min_lr <= peak_lr, "schedule", "min_lr must be in [0, ", peak_lr, "]: got ", min_lr);
    require(warmup_steps >= 0, "schedule", "warmup_steps must be 0 or more: got ", warmup_steps);
    require(min_lr == 0 || name == "cosine", "schedule", "only cosine has a min_lr: got ", min_lr, " for ", name);
    if (name == "constant") {
      require(warmup_steps == 0, "schedule", "constant has no warm-up: got warmup_steps=", warmup_steps,
              "; use constant_with_warmup");
      schedule_ = Constant{peak_lr};
    } else if (name == "constant_with_warmup") {
      schedule_ = ConstantWithWarmup{peak_lr, warmup_steps};
    } else if (name == "linear" || name == "cosine") {
      require(total_steps > 0 && warmup_steps <= total_steps, "schedule", name,
              " needs a total of steps above 0 and no longer warm-up: got total_steps=", total_steps,
              " warmup_steps=", warmup_steps);
      if (name == "linear")
        schedule_ = LinearWithWarmup{peak_lr, warmup_steps, total_steps};
      else
        schedule_ = CosineWithWarmup{peak_lr, warmup_steps, total_steps, min_lr};
    } else {
      fail("schedule", "the schedule must be one of ", names, ": got '", name, "'");
    }
  }

  double operator()(std::integral auto step) const {
    return std::visit([&](auto const& schedule) { return schedule(step); }, schedule_);
  }

 private:
  std::variant<Constant, ConstantWithWarmup, LinearWithWarmup, CosineWithWarmup> schedule_;
};

static_assert(Schedule<NamedSchedule>);

}  // namespace graft
