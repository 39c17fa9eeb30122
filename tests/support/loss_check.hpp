// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/rng.hpp>
#include <graft/loss/concept.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace graft::test {

/// Logits (N, V) in double, written out in full as a real head never does.
struct Logits {
  Index vocabulary = 0;
  std::vector<double> values;

  [[nodiscard]] std::span<double> row(Index n) {
    return {values.data() + n * vocabulary, static_cast<std::size_t>(vocabulary)};
  }
};

/// Normal logits of the given spread, shifted per row so that logsumexp is not near 0 everywhere.
[[nodiscard]] inline Logits random_logits(Index rows, Index vocabulary, Rng& rng, double spread = 2) {
  Logits logits{vocabulary, std::vector<double>(static_cast<std::size_t>(rows * vocabulary))};
  for (Index n = 0; n < rows; ++n) {
    double const shift = rng.uniform(-3, 3);
    for (double& value : logits.row(n)) value = shift + spread * rng.normal();
  }
  return logits;
}

/// What the head tells a loss of one row of logits, by the definitions in loss/concept.hpp.
[[nodiscard]] inline TokenStats token_stats(std::span<double const> logits, std::int32_t target) {
  double const top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  double total = 0;
  for (double const l : logits) {
    sum += std::exp(l - top);
    total += l;
  }
  TokenStats stats;
  stats.logsumexp = top + std::log(sum);
  stats.target_logprob = logits[static_cast<std::size_t>(target)] - stats.logsumexp;
  stats.mean_logit = total / static_cast<double>(logits.size());
  double squares = 0;
  for (double const l : logits) {
    stats.entropy -= std::exp(l - stats.logsumexp) * (l - stats.logsumexp);
    squares += std::exp(2 * (l - stats.logsumexp));
  }
  stats.log_sum_sq_probs = std::log(squares);
  return stats;
}

[[nodiscard]] inline std::vector<TokenStats> token_stats(Logits& logits, std::span<std::int32_t const> targets) {
  std::vector<TokenStats> stats;
  for (std::size_t n = 0; n < targets.size(); ++n)
    stats.push_back(token_stats(logits.row(static_cast<Index>(n)), targets[n]));
  return stats;
}

/// d loss / d logits of one row from the loss's gradient with respect to the statistics: the chain formula that every
/// head implements.
inline void chain_to_logits(std::span<double const> logits, std::int32_t target, TokenStats const& g,
                            std::span<double> out) {
  TokenStats const stats = token_stats(logits, target);
  for (std::size_t v = 0; v < logits.size(); ++v) {
    double const log_p = logits[v] - stats.logsumexp;
    double const p = std::exp(log_p);
    double const onehot = static_cast<std::int32_t>(v) == target ? 1 : 0;
    out[v] = g.target_logprob * (onehot - p) + g.logsumexp * p + g.mean_logit / static_cast<double>(logits.size()) -
             g.entropy * p * (log_p + stats.entropy);
  }
}

/// What `check_loss` saw. `error` is the largest |analytic - numeric| over the largest |numeric|.
struct LossCheck {
  double error = 0;
  double largest = 0;         ///< largest |numeric|: 0 would mean that the check had nothing to see
  bool written_whole = true;  ///< no statistic's gradient was left as it was
  LossReport report;
};

/// Checks any loss against central differences in its logits, through an explicit softmax: the loss's own gradient and
/// the chain formula together. `batch` brings rows, targets and whatever else the loss reads; the logits are random.
template <Loss L>
[[nodiscard]] LossCheck check_loss(L const& loss, typename L::Batch const& batch, Logits logits) {
  auto const count = batch.targets.size();
  double const nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<TokenStats> gradient(count, TokenStats{nan, nan, nan, nan});
  std::vector<TokenStats> scratch(count);

  LossCheck check;
  check.report = loss(token_stats(logits, batch.targets), batch, gradient);
  for (TokenStats const& g : gradient)
    check.written_whole = check.written_whole && !std::isnan(g.target_logprob) && !std::isnan(g.logsumexp) &&
                          !std::isnan(g.mean_logit) && !std::isnan(g.entropy);

  double worst = 0;
  std::vector<double> analytic(static_cast<std::size_t>(logits.vocabulary));
  for (std::size_t n = 0; n < count; ++n) {
    auto row = logits.row(static_cast<Index>(n));
    chain_to_logits(row, batch.targets[n], gradient[n], analytic);
    for (std::size_t v = 0; v < row.size(); ++v) {
      double const step = 1e-4;
      double const kept = row[v];
      row[v] = kept + step;
      double const above = loss(token_stats(logits, batch.targets), batch, scratch).value;
      row[v] = kept - step;
      double const below = loss(token_stats(logits, batch.targets), batch, scratch).value;
      row[v] = kept;
      double const numeric = (above - below) / (2 * step);
      check.largest = std::max(check.largest, std::abs(numeric));
      worst = std::max(worst, std::abs(numeric - analytic[v]));
    }
  }
  check.error = check.largest > 0 ? worst / check.largest : worst;
  return check;
}

/// A piece of a batch: what one micro-batch of an accumulated step holds. Its supervised tokens are the whole's
/// first … first + its own count - 1, and its normalizer is the whole step's.
template <class Batch>
struct BatchPiece {
  Batch batch;
  std::size_t first = 0;
};

/// The largest difference, of value or of any gradient entry, between a loss over the whole batch and the sum over its
/// pieces, relative to the largest gradient entry. A loss whose tokens are separable gives rounding only.
template <Loss L>
[[nodiscard]] double accumulation_error(L const& loss, std::span<TokenStats const> stats,
                                        typename L::Batch const& whole,
                                        std::vector<BatchPiece<typename L::Batch>> const& pieces) {
  std::vector<TokenStats> expected(stats.size());
  double const value = loss(stats, whole, expected).value;
  double sum = 0;
  std::vector<TokenStats> got(stats.size());
  for (auto const& [batch, first] : pieces) {
    auto const count = batch.targets.size();
    sum += loss(stats.subspan(first, count), batch, std::span(got).subspan(first, count)).value;
  }
  double largest = std::abs(value);
  double worst = std::abs(value - sum);
  auto const compare = [&](double a, double b) {
    largest = std::max(largest, std::abs(a));
    worst = std::max(worst, std::abs(a - b));
  };
  for (std::size_t n = 0; n < stats.size(); ++n) {
    compare(expected[n].target_logprob, got[n].target_logprob);
    compare(expected[n].logsumexp, got[n].logsumexp);
    compare(expected[n].mean_logit, got[n].mean_logit);
    compare(expected[n].entropy, got[n].entropy);
  }
  return worst / largest;
}

}  // namespace graft::test
