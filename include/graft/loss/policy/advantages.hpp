// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>
#include <graft/loss/policy/whiten.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace graft {

/// What a reward's distance from its group's mean is divided by: its group's standard deviation, that of the whole batch,
/// or nothing (Dr. GRPO).
enum class ScaleRewards : std::uint8_t { group, batch, none };

namespace detail {

/// Moments of the rewards that are numbers; NaN says that nothing could score a completion.
[[nodiscard]] inline MaskedMoments scored_moments(std::span<double const> rewards) {
  std::vector<double> scored;
  for (double const reward : rewards)
    if (!std::isnan(reward)) scored.push_back(reward);
  return masked_moments(scored);
}

inline void check_groups(char const* tag, std::span<double const> rewards, Index samples, std::span<double> advantages) {
  require(samples >= 2 && rewards.size() % static_cast<std::size_t>(samples) == 0 && advantages.size() == rewards.size(), tag,
          "needs groups of at least 2 samples of a prompt: got ", rewards.size(), " rewards, ", advantages.size(),
          " advantages and ", samples, " samples a prompt");
}

}  // namespace detail

/// GRPO's advantages of completions that lie group by group, `samples` to a prompt: A = (r - mean of its group) / (std + 1e-4),
/// std with Bessel's correction. A reward of NaN is left out of every mean and gets the advantage 0. Returns the share of
/// groups whose rewards are all alike, which teach nothing (with `batch`: 1 or 0).
/// Source: Shao et al., "DeepSeekMath", 2024, section 4.1; the scales and the 1e-4 are TRL's.
inline double grpo_advantages(std::span<double const> rewards, Index samples, ScaleRewards scale, std::span<double> advantages) {
  detail::check_groups("grpo", rewards, samples, advantages);
  auto const size = static_cast<std::size_t>(samples);
  double const of_batch = std::sqrt(detail::scored_moments(rewards).variance);
  std::size_t alike = 0;
  for (std::size_t first = 0; first < rewards.size(); first += size) {
    auto const group = detail::scored_moments(rewards.subspan(first, size));
    double const std = scale == ScaleRewards::batch ? of_batch : std::sqrt(group.variance);
    if (std <= 1e-8) ++alike;
    for (std::size_t i = first; i < first + size; ++i) {
      double const distance = std::isnan(rewards[i]) ? 0 : rewards[i] - group.mean;
      advantages[i] = scale == ScaleRewards::none ? distance : distance / (std + 1e-4);
    }
  }
  return static_cast<double>(alike * size) / static_cast<double>(rewards.size());
}

/// RLOO's: A = r - mean of the other samples of its prompt, with the KL penalty in r; `normalize` then makes the batch's of
/// mean 0 and standard deviation 1. NaN as in `grpo_advantages`; alone in its group a reward has nothing to be compared with: 0.
/// Source: Ahmadian et al., "Back to basics", 2024, section 3.3; TRL's RLOOTrainer.
inline void rloo_advantages(std::span<double const> rewards, Index samples, bool normalize, std::span<double> advantages) {
  detail::check_groups("rloo", rewards, samples, advantages);
  auto const size = static_cast<std::size_t>(samples);
  std::vector<double> known;
  for (std::size_t first = 0; first < rewards.size(); first += size) {
    auto const group = detail::scored_moments(rewards.subspan(first, size));
    for (std::size_t i = first; i < first + size; ++i) {
      bool const scored = !std::isnan(rewards[i]) && group.count > 1;
      advantages[i] = scored ? rewards[i] - (group.mean * group.count - rewards[i]) / (group.count - 1) : 0;
      if (scored) known.push_back(advantages[i]);
    }
  }
  if (!normalize) return;
  auto const all = masked_moments(known);
  for (std::size_t i = 0; i < rewards.size(); ++i)
    advantages[i] = std::isnan(rewards[i]) ? 0 : (advantages[i] - all.mean) / (std::sqrt(all.variance) + 1e-4);
}

/// Rewards of single tokens (N): -penalty[t] everywhere, and a completion's score on its last token. A score of NaN counts as 0.
/// Source: Ouyang et al., "InstructGPT", 2022, section 3.5. TRL's PPO put the score one token further, on the first pad.
inline void token_rewards(std::span<double const> scores, std::span<double const> penalty, std::span<std::int32_t const> offsets,
                          std::span<double> rewards) {
  require(offsets.size() == scores.size() + 1 && penalty.size() == rewards.size() &&
              static_cast<std::size_t>(offsets.back()) == rewards.size(),
          "rewards", "scores, penalties and offsets must be of the same completions: got ", scores.size(), " scores, ",
          penalty.size(), " penalties and ", offsets.size(), " offsets");
  for (std::size_t t = 0; t < rewards.size(); ++t) rewards[t] = -penalty[t];
  for (std::size_t s = 0; s < scores.size(); ++s) {
    require(offsets[s] < offsets[s + 1], "rewards", "completion ", s, " is empty: there is no token to reward");
    if (!std::isnan(scores[s])) rewards[static_cast<std::size_t>(offsets[s + 1]) - 1] += scores[s];
  }
}

}  // namespace graft
