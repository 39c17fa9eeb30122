// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/optim/schedule.hpp>

#include <string_view>
#include <variant>

namespace graft {

/// Numbers from which a schedule with a name is made. A schedule takes those that it has; others must stay as they are.
struct ScheduleOptions {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;
  Index total_steps = 0;
  double min_lr = 0;            ///< cosine, polynomial, warmup_stable_decay
  double cycles = 1;            ///< cosine_with_restarts
  double power = 1;             ///< polynomial
  Index timescale = 0;          ///< inverse_sqrt; 0: warmup_steps
  Index decay_steps = 0;        ///< warmup_stable_decay
  RampShape warmup_shape = RampShape::linear;  ///< warmup_stable_decay
  RampShape decay_shape = RampShape::cosine;   ///< warmup_stable_decay
};

/// A schedule chosen at run time, for command lines and checkpoints.
class NamedSchedule {
 public:
  /// The names that the constructor takes, those of transformers.
  static constexpr std::string_view names =
      "constant, constant_with_warmup, linear, cosine, cosine_with_min_lr, cosine_with_restarts, polynomial, inverse_sqrt, "
      "warmup_stable_decay";

  /// Errors: [schedule] for a name that is none of `names`, for a peak_lr or min_lr that is negative, not finite or the
  /// wrong way round, for warmup_steps or total_steps that leave no step to decay in, and for an option that the schedule of
  /// that name has not.
  NamedSchedule(std::string_view name, ScheduleOptions const& options) {
    auto const& [peak_lr, warmup_steps, total_steps, min_lr, cycles, power, timescale, decay_steps, warmup_shape, decay_shape] = options;
    bool const cosine = name == "cosine" || name == "cosine_with_min_lr", wsd = name == "warmup_stable_decay";
    require(std::isfinite(peak_lr) && peak_lr >= 0, "schedule", "the learning rate must be finite and 0 or more: got ",
            peak_lr);
    require(min_lr >= 0 && min_lr <= peak_lr, "schedule", "min_lr must be in [0, ", peak_lr, "]: got ", min_lr);
    require(warmup_steps >= 0, "schedule", "warmup_steps must be 0 or more: got ", warmup_steps);
    require(min_lr == 0 || cosine || wsd || name == "polynomial", "schedule",
            "only cosine, polynomial and warmup_stable_decay have a min_lr: got ", min_lr, " for ", name);
    require(cycles == 1 || (name == "cosine_with_restarts" && std::isfinite(cycles) && cycles > 0), "schedule",
            "only cosine_with_restarts has cycles, more than 0: got ", cycles, " for ", name);
    require(power == 1 || (name == "polynomial" && std::isfinite(power) && power > 0), "schedule",
            "only polynomial has a power, more than 0: got ", power, " for ", name);
    require(timescale == 0 || (name == "inverse_sqrt" && timescale > 0), "schedule",
            "only inverse_sqrt has a timescale, 1 or more: got ", timescale, " for ", name);
    require(decay_steps == 0 || wsd, "schedule", "only warmup_stable_decay has decay_steps: got ", decay_steps, " for ", name);
    if (name == "constant") {
      require(warmup_steps == 0, "schedule", "constant has no warm-up: got warmup_steps=", warmup_steps,
              "; use constant_with_warmup");
      schedule_ = Constant{peak_lr};
      return;
    }
    if (name == "constant_with_warmup") {
      schedule_ = ConstantWithWarmup{peak_lr, warmup_steps};
      return;
    }
    if (name == "inverse_sqrt") {
      schedule_ = InverseSqrt{peak_lr, warmup_steps, timescale};
      return;
    }
    require(name == "linear" || cosine || wsd || name == "cosine_with_restarts" || name == "polynomial", "schedule",
            "the schedule must be one of ", names, ": got '", name, "'");
    require(total_steps > 0 && warmup_steps <= total_steps, "schedule", name,
            " needs a total of steps above 0 and no longer warm-up: got total_steps=", total_steps,
            " warmup_steps=", warmup_steps);
    if (name == "linear") schedule_ = LinearWithWarmup{peak_lr, warmup_steps, total_steps};
    if (cosine) schedule_ = CosineWithWarmup{peak_lr, warmup_steps, total_steps, min_lr};
    if (name == "cosine_with_restarts") schedule_ = CosineWithRestarts{peak_lr, warmup_steps, total_steps, cycles};
    if (name == "polynomial") schedule_ = PolynomialWithWarmup{peak_lr, warmup_steps, total_steps, min_lr, power};
    if (!wsd) return;
    require(decay_steps >= 1 && decay_steps <= total_steps - warmup_steps, "schedule", "decay_steps must be in 1..", total_steps - warmup_steps,
            ", the steps after the warm-up: got ", decay_steps);
    schedule_ = WarmupStableDecay{peak_lr, warmup_steps, total_steps, decay_steps, min_lr, warmup_shape, decay_shape};
  }

  double operator()(std::integral auto step) const {
    return std::visit([&](auto const& schedule) { return schedule(step); }, schedule_);
  }

 private:
  std::variant<Constant, ConstantWithWarmup, LinearWithWarmup, CosineWithWarmup, CosineWithRestarts, PolynomialWithWarmup, InverseSqrt,
               WarmupStableDecay>
      schedule_;
};

static_assert(Schedule<NamedSchedule>);

}  // namespace graft
