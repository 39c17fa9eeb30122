// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace graft {

/// One axis of a chart: values low … high, linear or logarithmic, on pixels at_low … at_high, with ticks at round values.
class ChartAxis {
 public:
  /// Widens an empty range, so that every value has a place. A logarithmic axis needs low > 0.
  ChartAxis(double low, double high, bool logarithmic, double at_low, double at_high)
      : logarithmic_(logarithmic), at_low_(at_low), at_high_(at_high) {
    if (!(high > low)) {
      double const pad = low == 0 ? 1 : std::abs(low) * 0.1;
      low -= pad;
      high += pad;
    }
    low_ = scale(low);
    high_ = scale(high);
  }

  [[nodiscard]] double pixel(double value) const {
    return at_low_ + (scale(value) - low_) / (high_ - low_) * (at_high_ - at_low_);
  }

  /// Values of 1, 2 or 5 times a power of ten inside the axis, about `wanted` of them; whole numbers only if asked.
  [[nodiscard]] std::vector<double> ticks(int wanted, bool whole = false) const {
    std::vector<double> values;
    if (logarithmic_) {
      for (double decade = std::floor(low_); decade <= high_; ++decade)
        for (double const digit : {1.0, 2.0, 5.0})
          if (double const value = digit * std::pow(10, decade); inside(value)) values.push_back(value);
      return values;
    }
    double step = std::pow(10, std::floor(std::log10((high_ - low_) / wanted)));
    for (double const factor : {2.0, 2.5, 2.0})  // 1, 2, 5, 10
      if ((high_ - low_) / step > wanted) step *= factor;
    if (whole) step = std::max(1.0, std::round(step));
    for (double k = std::ceil(low_ / step - 1e-9); k * step <= high_ + 1e-9 * step; ++k) values.push_back(k * step);
    return values;
  }

  /// A tick's text: 0.05, 1.5, 200, 5e-05.
  [[nodiscard]] static std::string label(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.4g", std::abs(value) < 1e-300 ? 0.0 : value);
    return text.data();
  }

 private:
  [[nodiscard]] double scale(double value) const { return logarithmic_ ? std::log10(value) : value; }
  [[nodiscard]] bool inside(double value) const { return scale(value) >= low_ - 1e-9 && scale(value) <= high_ + 1e-9; }

  bool logarithmic_;
  double at_low_;
  double at_high_;
  double low_ = 0;
  double high_ = 1;
};

}  // namespace graft
