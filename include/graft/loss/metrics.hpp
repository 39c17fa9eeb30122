// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string_view>

namespace graft {

/// A named mean: sum / weight. Parts of one step add up, sum to sum and weight to weight.
struct Metric {
  std::string_view name{};  ///< of static lifetime: a literal
  double sum = 0;
  double weight = 0;

  /// NaN where nothing was counted.
  [[nodiscard]] double value() const { return weight != 0 ? sum / weight : std::numeric_limits<double>::quiet_NaN(); }
  friend bool operator==(Metric const&, Metric const&) = default;
};

/// The few named numbers that a loss tells of a step beside its value, in the order in which it tells them. Holds its
/// memory itself, so that a training step allocates nothing.
class Metrics {
 public:
  static constexpr std::size_t capacity = 32;

  /// Adds to the metric of that name, which begins at nothing. Error: more names than fit.
  void add(std::string_view name, double sum, double weight = 1) {
    auto* metric = std::find_if(metrics_.data(), metrics_.data() + size_, [&](auto const& m) { return m.name == name; });
    if (metric == metrics_.data() + size_) {
      require(size_ < capacity, "metrics", "a loss has at most ", capacity, " metrics: no room for ", name);
      metrics_[size_++].name = name;
    }
    metric->sum += sum;
    metric->weight += weight;
  }
  Metrics& operator+=(Metrics const& other) {
    for (auto const& metric : other) add(metric.name, metric.sum, metric.weight);
    return *this;
  }

  /// The mean of that name; NaN where there is none.
  [[nodiscard]] double operator[](std::string_view name) const {
    for (auto const& metric : *this)
      if (metric.name == name) return metric.value();
    return std::numeric_limits<double>::quiet_NaN();
  }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Metric const* begin() const { return metrics_.data(); }
  [[nodiscard]] Metric const* end() const { return metrics_.data() + size_; }
  friend bool operator==(Metrics const&, Metrics const&) = default;

 private:
  std::array<Metric, capacity> metrics_{};
  std::size_t size_ = 0;
};

}  // namespace graft
