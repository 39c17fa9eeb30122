// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/concept.hpp>

#include <cmath>
#include <span>
#include <string_view>

namespace graft {

/// The factor of each supervised token in a loss that sums over tokens: weight(n) / normalizer, with the batch's own
/// Σ weights where it names no normalizer. The constructor checks that what a loss was handed fits together, so that
/// every loss refuses the same mistakes in the same words; `tag` names the loss.
class TokenWeights {
 public:
  TokenWeights(std::string_view tag, std::span<TokenStats const> stats, TokenBatch const& batch,
               std::span<TokenStats> gradient)
      : weights_(batch.weights) {
    auto const count = static_cast<Index>(stats.size());
    require(count == batch.supervised() && gradient.size() == stats.size(), tag,
            "statistics, gradient and batch must have the same number of supervised tokens: got ", count,
            " statistics, ", gradient.size(), " gradients and ", batch.supervised(), " rows");
    require(weights_.empty() || weights_.size() == stats.size(), tag,
            "a batch must have a weight for each supervised token or none at all: got ", weights_.size(), " for ",
            count, " tokens");
    total_ = batch.total_weight();
    normalizer_ = batch.normalizer != 0 ? batch.normalizer : total_;
    require(std::isfinite(normalizer_) && normalizer_ > 0, tag,
            "the normalizer (or, without one, the sum of the weights) must be positive: got ", normalizer_, " for ",
            count, " supervised tokens");
  }

  /// weight of token n, not divided
  [[nodiscard]] double operator[](std::size_t n) const { return weights_.empty() ? 1.0 : double{weights_[n]}; }
  [[nodiscard]] double normalizer() const { return normalizer_; }
  /// Σ weights of this batch
  [[nodiscard]] double total() const { return total_; }

 private:
  std::span<float const> weights_;
  double total_ = 0;
  double normalizer_ = 0;
};

}  // namespace graft
