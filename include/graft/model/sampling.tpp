// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/model/sampling.hpp>

#include <graft/config.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace graft {

GRAFT_INLINE void Sampler::filter_top_k() {
  auto const k = static_cast<std::size_t>(options_.top_k);
  if (k == 0 || k >= values_.size()) return;
  sorted_ = values_;
  std::nth_element(sorted_.begin(), sorted_.begin() + static_cast<Index>(k - 1), sorted_.end(), std::greater<>());
  double const limit = sorted_[k - 1];
  for (double& logit : values_)
    if (logit < limit) logit = minus_infinity;
}

GRAFT_INLINE void Sampler::softmax() {
  double const largest = *std::max_element(values_.begin(), values_.end());
  double sum = 0;
  for (double& value : values_) sum += value = std::exp(value - largest);
  for (double& value : values_) value /= sum;
}

GRAFT_INLINE void Sampler::renormalise() {
  double const sum = std::accumulate(values_.begin(), values_.end(), 0.0);
  for (double& value : values_) value /= sum;
}

GRAFT_INLINE void Sampler::filter_top_p() {
  if (options_.top_p >= 1) return;
  order_.resize(values_.size());
  std::iota(order_.begin(), order_.end(), 0);
  std::stable_sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) {
    return values_[static_cast<std::size_t>(a)] < values_[static_cast<std::size_t>(b)];
  });
  double below = 0;  // ascending: drop while the mass up to and including a token is at most 1 - top_p
  for (std::size_t i = 0; i + 1 < order_.size(); ++i) {
    double& p = values_[static_cast<std::size_t>(order_[i])];
    below += p;
    if (below > 1 - options_.top_p) break;
    p = 0;
  }
  renormalise();
}

GRAFT_INLINE void Sampler::filter_min_p() {
  if (options_.min_p <= 0) return;
  double const limit = options_.min_p * *std::max_element(values_.begin(), values_.end());
  for (double& p : values_)
    if (p < limit) p = 0;
  renormalise();
}

GRAFT_INLINE void Sampling::validate() const {
  require(temperature > 0 && std::isfinite(temperature), "sampling", "temperature must be above 0: got ", temperature);
  require(top_k >= 0, "sampling", "top_k must not be negative: got ", top_k);
  require(top_p > 0 && top_p <= 1, "sampling", "top_p must be in (0, 1]: got ", top_p);
  require(min_p >= 0 && min_p <= 1, "sampling", "min_p must be in [0, 1]: got ", min_p);
  require(repetition_penalty > 0, "sampling", "repetition_penalty must be above 0: got ", repetition_penalty);
}

}  // namespace graft
