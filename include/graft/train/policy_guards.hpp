// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/train/policy_metrics.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <sstream>
#include <string>

namespace graft {

/// Signs that a policy is learning to please its reward rather than to do its task. A limit of 0 is off.
struct PolicyGuards {
  double max_kl = 0;            ///< objective/kl, nats of a completion, beyond which the run stops
  double min_entropy = 0;       ///< entropy of a token below which it stops: the policy has collapsed
  double max_repetition = 0;    ///< share of repeated 4-grams beyond which it stops
  double max_clipped_ratio = 0; ///< share of completions that are cut at the longest length beyond which it stops
  Index judge_window = 0;       ///< iterations over which the reward's and the judge's trends are compared

  friend bool operator==(PolicyGuards const&, PolicyGuards const&) = default;

  /// What `rows`, all of a run so far, give reason to stop for; nothing while all is well.
  [[nodiscard]] std::optional<std::string> alarm(std::span<PolicyRow const> rows) const {
    if (rows.empty()) return std::nullopt;
    PolicyRow const& row = rows.back();
    std::ostringstream text;
    auto const beyond = [&](char const* name, double value, bool wrong, char const* than, double limit) {
      if (wrong) text << name << " is " << value << ", " << than << ' ' << limit;
      return wrong;
    };
    if (beyond("objective/kl", row.objective_kl, max_kl > 0 && row.objective_kl > max_kl, "above", max_kl) ||
        beyond("entropy", row.entropy, min_entropy > 0 && row.entropy < min_entropy, "below", min_entropy) ||
        beyond("completions/repetition", row.repetition, max_repetition > 0 && row.repetition > max_repetition, "above", max_repetition) ||
        beyond("completions/clipped_ratio", row.clipped_ratio, max_clipped_ratio > 0 && row.clipped_ratio > max_clipped_ratio, "above",
               max_clipped_ratio))
      return text.str();
    if (judge_window < 2 || rows.size() < static_cast<std::size_t>(judge_window)) return std::nullopt;
    auto const last = rows.last(static_cast<std::size_t>(judge_window));
    auto const first = last.size() - last.size() / 2;  // the earlier half
    double reward[2] = {0, 0}, judge[2] = {0, 0};
    for (std::size_t i = 0; i < last.size(); ++i) {
      std::size_t const half = i < first ? 0 : 1;
      double const share = 1 / static_cast<double>(half == 0 ? first : last.size() - first);
      reward[half] += share * last[i].reward;
      judge[half] += share * last[i].judge;
    }
    if (!(reward[1] > reward[0] && judge[1] < judge[0])) return std::nullopt;
    text << "over " << judge_window << " iterations the reward rose from " << reward[0] << " to " << reward[1]
         << " while the judge's fell from " << judge[0] << " to " << judge[1];
    return text.str();
  }
};

}  // namespace graft
