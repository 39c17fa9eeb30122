// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <numbers>

namespace graft {

/// A learning-rate schedule is callable as schedule(step) → learning rate, with steps counted from 0.
template <class S>
concept Schedule = requires(S const& schedule, Index step) {
  { schedule(step) } -> std::convertible_to<double>;
};

namespace detail {

/// step / warmup_steps below warmup_steps, 1 from there: transformers' warm-up, in which step 0 has rate 0.
inline double warmup_factor(Index step, Index warmup_steps) {
  return step < warmup_steps ? static_cast<double>(step) / static_cast<double>(warmup_steps) : 1.0;
}

/// How far the decay after the warm-up has come at `step`: 0 … 1, and 1 after total_steps.
inline double decay_progress(Index step, Index warmup_steps, Index total_steps) {
  auto const span = static_cast<double>(std::max<Index>(1, total_steps - warmup_steps));
  return std::clamp(static_cast<double>(step - warmup_steps) / span, 0.0, 1.0);
}

}  // namespace detail

/// peak_lr at every step.
struct Constant {
  double peak_lr = 1e-4;
  double operator()(std::integral auto) const { return peak_lr; }
};

/// peak_lr·step/warmup_steps, then peak_lr. transformers: constant_with_warmup.
struct ConstantWithWarmup {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;

  double operator()(std::integral auto step) const {
    return peak_lr * detail::warmup_factor(static_cast<Index>(step), warmup_steps);
  }
};

/// Warm-up, then a straight line from peak_lr at warmup_steps to 0 at total_steps. transformers: linear.
struct LinearWithWarmup {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;
  Index total_steps = 0;

  double operator()(std::integral auto step) const {
    auto const s = static_cast<Index>(step);
    if (s < warmup_steps) return peak_lr * detail::warmup_factor(s, warmup_steps);
    return peak_lr * (1 - detail::decay_progress(s, warmup_steps, total_steps));
  }
};

/// Warm-up, then half a cosine from peak_lr at warmup_steps to min_lr at total_steps, with progress x in 0 … 1:
///   lr = min_lr + (peak_lr - min_lr)·(1 + cos πx)/2.
/// transformers: cosine, and cosine_with_min_lr with a min_lr. After total_steps it stays at min_lr (theirs would rise).
/// Source: Loshchilov and Hutter, "SGDR", ICLR 2017, without restarts.
struct CosineWithWarmup {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;
  Index total_steps = 0;
  double min_lr = 0;

  double operator()(std::integral auto step) const {
    auto const s = static_cast<Index>(step);
    if (s < warmup_steps) return peak_lr * detail::warmup_factor(s, warmup_steps);
    double const progress = detail::decay_progress(s, warmup_steps, total_steps);
    return min_lr + (peak_lr - min_lr) * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
};

/// Warm-up, then `cycles` half cosines from peak_lr to 0, each beginning anew. transformers: cosine_with_restarts.
/// Source: Loshchilov and Hutter, "SGDR", ICLR 2017, with cycles of one length.
struct CosineWithRestarts {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;
  Index total_steps = 0;
  double cycles = 1;

  double operator()(std::integral auto step) const {
    auto const s = static_cast<Index>(step);
    if (s < warmup_steps) return peak_lr * detail::warmup_factor(s, warmup_steps);
    double const progress = detail::decay_progress(s, warmup_steps, total_steps);
    if (progress >= 1) return 0;
    return peak_lr * 0.5 * (1 + std::cos(std::numbers::pi * std::fmod(cycles * progress, 1.0)));
  }
};

/// Warm-up, then min_lr + (peak_lr - min_lr)·(1 - x)^power with progress x in 0 … 1. transformers: polynomial (lr_end is
/// min_lr, 1e-7 there by default).
struct PolynomialWithWarmup {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;
  Index total_steps = 0;
  double min_lr = 0;
  double power = 1;

  double operator()(std::integral auto step) const {
    auto const s = static_cast<Index>(step);
    if (s < warmup_steps) return peak_lr * detail::warmup_factor(s, warmup_steps);
    return min_lr + (peak_lr - min_lr) * std::pow(1 - detail::decay_progress(s, warmup_steps, total_steps), power);
  }
};

/// Warm-up, then peak_lr·√(timescale / (step + timescale - warmup_steps)), without an end. transformers: inverse_sqrt.
struct InverseSqrt {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;
  Index timescale = 0;  ///< 0: warmup_steps, or 10000 without warm-up

  double operator()(std::integral auto step) const {
    auto const s = static_cast<Index>(step);
    if (s < warmup_steps) return peak_lr * detail::warmup_factor(s, warmup_steps);
    Index const scale = timescale > 0 ? timescale : warmup_steps > 0 ? warmup_steps : 10000;
    return peak_lr / std::sqrt(static_cast<double>(s + scale - warmup_steps) / static_cast<double>(scale));
  }
};

/// How a rate goes between its ends: a line, half a cosine, or 1 - √x.
enum class RampShape : std::uint8_t { linear, cosine, one_minus_sqrt };

/// Warm-up from min_lr to peak_lr, then peak_lr, then a decay to min_lr in the last decay_steps of total_steps, where it stays.
/// transformers: warmup_stable_decay (its defaults: linear warm-up, cosine decay).
/// Source: Hu et al., "MiniCPM", 2024, section 4.
struct WarmupStableDecay {
  double peak_lr = 1e-4;
  Index warmup_steps = 0;
  Index total_steps = 0;
  Index decay_steps = 0;
  double min_lr = 0;
  RampShape warmup_shape = RampShape::linear;
  RampShape decay_shape = RampShape::cosine;

  double operator()(std::integral auto step) const {
    auto const s = static_cast<Index>(step);
    auto const between = [this](double factor) { return min_lr + (peak_lr - min_lr) * factor; };
    if (s < warmup_steps) {
      double const x = detail::warmup_factor(s, warmup_steps);
      return between(warmup_shape == RampShape::linear   ? x
                     : warmup_shape == RampShape::cosine ? 0.5 * (1 - std::cos(std::numbers::pi * x))
                                                         : 1 - std::sqrt(1 - x));
    }
    Index const stable_end = total_steps - decay_steps;
    if (s < stable_end) return peak_lr;
    if (s >= total_steps) return min_lr;
    double const x = detail::decay_progress(s, stable_end, total_steps);
    return between(decay_shape == RampShape::linear   ? 1 - x
                   : decay_shape == RampShape::cosine ? 0.5 * (1 + std::cos(std::numbers::pi * x))
                                                      : 1 - std::sqrt(x));
  }
};

}  // namespace graft
