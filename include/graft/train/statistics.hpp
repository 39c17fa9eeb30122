// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/rng.hpp>
#include <graft/core/scalar.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace graft {

/// An estimate with the bounds of its confidence interval.
struct Interval {
  double estimate = 0;
  double low = 0;
  double high = 0;
};

/// Φ⁻¹(0.975): half the width of a 95 % interval in standard errors.
inline constexpr double z_95 = 1.959963984540054;

/// Wilson's score interval of a proportion, successes of trials; never leaves [0, 1] and has a width at 0 and at 1.
/// Source: Wilson, JASA 22 (1927). Errors: [statistics] without trials or with more successes than trials.
[[nodiscard]] inline Interval wilson_interval(Index successes, Index trials, double z = z_95) {
  require(trials > 0 && successes >= 0 && successes <= trials, "statistics",
          "a proportion needs trials and at most as many successes: got ", successes, " of ", trials);
  auto const n = static_cast<double>(trials);
  double const p = static_cast<double>(successes) / n;
  double const center = (p + z * z / (2 * n)) / (1 + z * z / n);
  double const half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  // At the ends the exact bound is 0 or 1, which the subtraction misses by rounding.
  return {p, successes == 0 ? 0.0 : center - half, successes == trials ? 1.0 : center + half};
}

/// McNemar's exact test of paired yes/no answers: of the items on which two systems disagree, `only_first` were right
/// with the first alone and `only_second` with the second alone. Returns the two-sided p-value under Binomial(n, 1/2);
/// 1 when they never disagree. Source: McNemar, Psychometrika 12 (1947), in the exact binomial form.
[[nodiscard]] inline double mcnemar_exact(Index only_first, Index only_second) {
  require(only_first >= 0 && only_second >= 0, "statistics", "counts must be 0 or more: got ", only_first, " and ",
          only_second);
  Index const n = only_first + only_second;
  double const log_all = static_cast<double>(n) * std::log(2.0);
  double tail = 0;
  for (Index k = 0; k <= std::min(only_first, only_second); ++k)
    tail += std::exp(std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(k) + 1) -
                     std::lgamma(static_cast<double>(n - k) + 1) - log_all);
  return std::min(1.0, 2 * tail);
}

/// The same from the answers themselves: first[i] and second[i] say whether each system was right on item i.
[[nodiscard]] inline double mcnemar_exact(std::vector<bool> const& first, std::vector<bool> const& second) {
  require(first.size() == second.size(), "statistics", "a paired test needs the same items twice: got ", first.size(),
          " and ", second.size());
  Index only_first = 0;
  Index only_second = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    only_first += first[i] && !second[i];
    only_second += second[i] && !first[i];
  }
  return mcnemar_exact(only_first, only_second);
}

[[nodiscard]] inline double mean(std::span<double const> values) {
  require(!values.empty(), "statistics", "a mean needs at least one value: got none");
  double sum = 0;
  for (double const value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

/// Percentile bootstrap of a mean: the 2.5 % and 97.5 % quantiles of the means of `resamples` draws with replacement.
/// The same seed gives the same bounds everywhere. Source: Efron and Tibshirani, "An introduction to the bootstrap".
[[nodiscard]] inline Interval bootstrap_mean(std::span<double const> values, std::uint64_t seed = 0,
                                             Index resamples = 10000) {
  require(resamples >= 100, "statistics", "a bootstrap needs at least 100 resamples: got ", resamples);
  double const estimate = mean(values);
  Rng rng(seed);
  std::vector<double> means(static_cast<std::size_t>(resamples));
  for (double& drawn : means) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[rng.below(values.size())];
    drawn = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  auto const quantile = [&](double q) {  // linear between order statistics
    double const at = q * static_cast<double>(means.size() - 1);
    auto const k = static_cast<std::size_t>(at);
    return means[k] + (at - std::floor(at)) * (means[std::min(k + 1, means.size() - 1)] - means[k]);
  };
  return {estimate, quantile(0.025), quantile(0.975)};
}

namespace detail {

[[nodiscard]] inline std::vector<double> paired_differences(std::span<double const> first,
                                                            std::span<double const> second) {
  require(first.size() == second.size(), "statistics", "a paired comparison needs the same items twice: got ",
          first.size(), " and ", second.size());
  std::vector<double> differences(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) differences[i] = second[i] - first[i];
  return differences;
}

}  // namespace detail

/// Bootstrap of the mean of second - first over paired items.
[[nodiscard]] inline Interval paired_bootstrap(std::span<double const> first, std::span<double const> second,
                                               std::uint64_t seed = 0, Index resamples = 10000) {
  return bootstrap_mean(detail::paired_differences(first, second), seed, resamples);
}

}  // namespace graft
