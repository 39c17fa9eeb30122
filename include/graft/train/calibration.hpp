// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace graft {

/// How far the confidence of yes/no answers is borne out: bins of equal width over [1/2, 1], the expected calibration error
///   ECE = Σ_bins n_b/N·|share right - mean confidence|,
/// and the Brier score, the mean of (confidence - right)². Sources: Guo et al., "On calibration of modern neural networks",
/// 2017, section 2; Brier, "Verification of forecasts expressed in terms of probability", 1950.
class Calibration {
 public:
  static constexpr std::size_t bin_count = 10;

  struct Bin {
    Index answers = 0, right = 0;
    double confidence = 0;  ///< sum

    [[nodiscard]] double mean_confidence() const { return answers > 0 ? confidence / static_cast<double>(answers) : 0; }
    [[nodiscard]] double share_right() const { return answers > 0 ? static_cast<double>(right) / static_cast<double>(answers) : 0; }
  };

  /// An answer that was held right with probability `confidence`, in [1/2, 1].
  void add(double confidence, bool right) {
    auto const place = static_cast<std::size_t>(std::max(0.0, (confidence - 0.5) * 2 * static_cast<double>(bin_count)));
    Bin& bin = bins_[std::min(place, bin_count - 1)];
    ++bin.answers;
    bin.right += right ? 1 : 0;
    bin.confidence += confidence;
    double const miss = confidence - (right ? 1.0 : 0.0);
    squares_ += miss * miss;
    ++answers_;
  }

  [[nodiscard]] std::array<Bin, bin_count> const& bins() const { return bins_; }
  [[nodiscard]] Index answers() const { return answers_; }
  [[nodiscard]] double brier() const { return answers_ > 0 ? squares_ / static_cast<double>(answers_) : 0; }
  [[nodiscard]] double expected_error() const {
    double sum = 0;
    for (Bin const& bin : bins_) sum += static_cast<double>(bin.answers) * std::abs(bin.share_right() - bin.mean_confidence());
    return answers_ > 0 ? sum / static_cast<double>(answers_) : 0;
  }

 private:
  std::array<Bin, bin_count> bins_{};
  double squares_ = 0;
  Index answers_ = 0;
};

}  // namespace graft
