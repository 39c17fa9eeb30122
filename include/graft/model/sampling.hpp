// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/rng.hpp>
#include <graft/core/scalar.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace graft {

/// How the next token is drawn. The filters act in transformers' order: repetition penalty, temperature, top-k, top-p,
/// min-p; a filter at its default does nothing.
struct Sampling {
  bool greedy = true;             ///< take the most probable token (the first of equals); only the penalty acts
  double temperature = 1;         ///< > 0: logits are divided by it
  Index top_k = 0;                ///< keep the k largest logits and their equals; 0: all
  double top_p = 1;               ///< keep the smallest set of most probable tokens with at least this mass
  double min_p = 0;               ///< keep tokens with at least this share of the largest probability
  double repetition_penalty = 1;  ///< > 0: logits of tokens seen before are divided by it if positive, else multiplied
  std::uint64_t seed = 0;

  void validate() const;
};

/// Draws tokens from logits. Keeps its memory from call to call.
class Sampler {
 public:
  explicit Sampler(Sampling options) : options_(options) { options_.validate(); }

  /// The probabilities (V) that a draw uses, after all filters; valid until the next call.
  /// Sources: Holtzman et al., "The curious case of neural text degeneration", 2020 (top-p); Keskar et al., "CTRL", 2019,
  /// section 4.1 (penalty); Nguyen et al., "Turning up the heat: min-p sampling", 2024.
  template <class T>
  std::span<double const> probabilities(std::span<T const> logits, std::span<std::int32_t const> seen) {
    load(logits, seen);
    for (double& logit : values_) logit /= options_.temperature;
    filter_top_k();
    softmax();
    filter_top_p();
    filter_min_p();
    return values_;
  }

  /// The next token. `position` numbers the tokens of sequence `sequence`: a draw depends on the seed, on these two and on
  /// the logits only, so a sequence does not depend on its neighbours in a batch.
  template <class T>
  std::int32_t draw(std::span<T const> logits, std::span<std::int32_t const> seen, std::uint64_t sequence,
                    std::uint64_t position) {
    if (options_.greedy) {
      load(logits, seen);
      return static_cast<std::int32_t>(std::max_element(values_.begin(), values_.end()) - values_.begin());
    }
    auto const p = probabilities(logits, seen);
    Rng rng(options_.seed, sequence << 32 | position);
    double left = rng.uniform() * std::accumulate(p.begin(), p.end(), 0.0);
    std::size_t last = 0;
    for (std::size_t v = 0; v < p.size(); ++v) {
      if (p[v] == 0) continue;
      last = v;
      if ((left -= p[v]) < 0) break;
    }
    return static_cast<std::int32_t>(last);
  }

 private:
  static constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

  template <class T>
  void load(std::span<T const> logits, std::span<std::int32_t const> seen) {
    values_.assign(logits.begin(), logits.end());
    if (options_.repetition_penalty == 1) return;
    order_.assign(seen.begin(), seen.end());
    std::sort(order_.begin(), order_.end());
    order_.erase(std::unique(order_.begin(), order_.end()), order_.end());
    for (auto const id : order_) {
      double& logit = values_[static_cast<std::size_t>(id)];
      logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    }
  }
  void filter_top_k();
  void softmax();
  void renormalise();
  void filter_top_p();
  void filter_min_p();

  Sampling options_;
  std::vector<double> values_, sorted_;
  std::vector<std::int32_t> order_;
};

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/model/sampling.tpp>
#endif
