// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/train/statistics.hpp>

#include <cmath>
#include <limits>

namespace graft {

namespace detail {

/// The continued fraction of the incomplete beta function, by Lentz's method (DLMF 8.17.22).
[[nodiscard]] inline double beta_fraction(double a, double b, double x) {
  double constexpr tiny = 1e-300;
  auto const bounded = [](double value) { return std::abs(value) < tiny ? tiny : value; };
  double c = 1;
  double d = 1 / bounded(1 - (a + b) * x / (a + 1));
  double result = d;
  for (int k = 1; k < 500; ++k) {
    double const m = k;
    double const even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / bounded(1 + even * d);
    c = bounded(1 + even / c);
    result *= c * d;
    double const odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / bounded(1 + odd * d);
    c = bounded(1 + odd / c);
    result *= c * d;
    if (std::abs(c * d - 1) < 1e-15) break;
  }
  return result;
}

/// The regularised incomplete beta function I_x(a, b).
[[nodiscard]] inline double regularized_beta(double a, double b, double x) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  double const front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

}  // namespace detail

/// P(|T| ≥ |t|) of Student's t with `degrees` of freedom.
[[nodiscard]] inline double student_t_two_sided(double t, double degrees) {
  if (std::isinf(t)) return 0;
  return detail::regularized_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

/// The t with P(|T| ≥ t) = alpha: 2.0 and a little for alpha = 0.05 and many degrees of freedom. Found by bisection.
[[nodiscard]] inline double student_t_critical(double alpha, double degrees) {
  require(alpha > 0 && alpha < 1 && degrees >= 1, "statistics",
          "a t quantile needs alpha in (0, 1) and a degree of freedom: got alpha=", alpha, " degrees=", degrees);
  double low = 0;
  double high = 2;
  while (student_t_two_sided(high, degrees) > alpha) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-14 * high; ++i) {
    double const middle = 0.5 * (low + high);
    (student_t_two_sided(middle, degrees) > alpha ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

/// A paired t-test of continuous values, say the NLL of the same records under two models.
struct PairedTest {
  Interval difference;  ///< mean of second - first with its 95 % interval
  double t = 0;         ///< mean over its standard error; 0 when all differences are 0
  double p_value = 1;   ///< two-sided
};

/// Errors: [statistics] for different lengths or fewer than two pairs.
[[nodiscard]] inline PairedTest paired_t_test(std::span<double const> first, std::span<double const> second) {
  auto const differences = detail::paired_differences(first, second);
  require(differences.size() >= 2, "statistics", "a paired t-test needs at least 2 pairs: got ", differences.size());
  auto const n = static_cast<double>(differences.size());
  double const center = mean(differences);
  double squares = 0;
  for (double const value : differences) squares += (value - center) * (value - center);
  double const error = std::sqrt(squares / (n - 1) / n);
  if (error == 0) {  // every pair differs by the same amount
    if (center == 0) return {};
    return {{center, center, center}, std::copysign(std::numeric_limits<double>::infinity(), center), 0};
  }
  double const half = student_t_critical(0.05, n - 1) * error;
  return {{center, center - half, center + half}, center / error, student_t_two_sided(center / error, n - 1)};
}

}  // namespace graft
