// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/loss/token_batch.hpp>

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graft {

/// Answers in groups, of which it is known which is better. S sequences, each a prompt with one answer, in G groups; every
/// row is the last token of its sequence, so there are as many scores as sequences. In a group a better answer comes before
/// a worse one; a pair is a group of two, chosen before rejected. The normalizer counts groups.
struct RewardBatch : TokenBatch {
  std::vector<std::int32_t> cu_groups;  ///< (G + 1), from 0 to S: group g has the sequences cu_groups[g] … cu_groups[g+1]-1
  std::vector<std::int32_t> ranks;      ///< (S), 0 the best, not falling within a group; equal ranks: nobody knows
  std::vector<float> margins;           ///< (G) by how much the better reward should lead; empty: all 0

  std::vector<std::int32_t> sources;    ///< (G) where the group comes from, as its data set numbers that; -1: not said

  [[nodiscard]] Index groups() const { return cu_groups.empty() ? 0 : static_cast<Index>(cu_groups.size()) - 1; }
  /// What a normalizer adds up.
  [[nodiscard]] double total_weight() const { return static_cast<double>(groups()); }
  void clear() {
    TokenBatch::clear();
    cu_groups.clear();
    ranks.clear();
    margins.clear();
    sources.clear();
  }
};

/// One group of a batch as a loss reads it.
struct RewardGroup {
  std::size_t first = 0;  ///< its first sequence
  std::size_t size = 0;
  double margin = 0;
};

/// Checks that scores, gradient and batch belong together, so that every loss on groups refuses the same mistakes in the
/// same words (`tag` names the loss), and walks through the groups.
class RewardGroups {
 public:
  RewardGroups(std::string_view tag, std::span<double const> scores, RewardBatch const& batch, std::span<double> gradient)
      : batch_(&batch) {
    auto const& cu = batch.cu_groups;
    require(batch.groups() > 0, tag, "a batch must have at least one group of answers");
    require(cu.front() == 0 && static_cast<std::size_t>(cu.back()) == scores.size() && scores.size() == gradient.size() &&
                scores.size() == batch.ranks.size(),
            tag, "scores, gradient and batch must have the same number of answers: got ", scores.size(), " scores, ",
            gradient.size(), " gradients, ", batch.ranks.size(), " ranks and groups from ", cu.front(), " to ", cu.back());
    require(batch.margins.empty() || static_cast<Index>(batch.margins.size()) == batch.groups(), tag,
            "a batch must have a margin for each group or none at all: got ", batch.margins.size(), " for ", batch.groups());
    for (std::size_t g = 0; g + 1 < cu.size(); ++g) {
      require(cu[g + 1] > cu[g], tag, "group ", g, " has no answers");
      for (auto s = static_cast<std::size_t>(cu[g]) + 1; s < static_cast<std::size_t>(cu[g + 1]); ++s)
        require(batch.ranks[s] >= batch.ranks[s - 1], tag, "the answers of group ", g, " must stand from best to worst: got rank ",
                batch.ranks[s - 1], " before rank ", batch.ranks[s]);
    }
    normalizer_ = batch.normalizer != 0 ? batch.normalizer : static_cast<double>(batch.groups());
    require(std::isfinite(normalizer_) && normalizer_ > 0, tag, "the normalizer must be positive: got ", normalizer_);
  }

  [[nodiscard]] std::size_t size() const { return batch_->cu_groups.size() - 1; }
  [[nodiscard]] double normalizer() const { return normalizer_; }
  [[nodiscard]] RewardGroup operator[](std::size_t g) const {
    auto const first = static_cast<std::size_t>(batch_->cu_groups[g]), end = static_cast<std::size_t>(batch_->cu_groups[g + 1]);
    return {first, end - first, batch_->margins.empty() ? 0.0 : double{batch_->margins[g]}};
  }

 private:
  RewardBatch const* batch_;
  double normalizer_ = 1;
};

}  // namespace graft
