// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/config.hpp>
#include <graft/core/error.hpp>
#include <graft/core/scalar.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graft {

/// One completion to be rewarded. `record` is the line of the data file that the prompt comes from, "" where there is none.
struct Sample {
  std::string_view prompt, completion;
  std::string_view expected;  ///< the record's answer, if it has one
  std::string_view record;
  std::span<std::int32_t const> ids;  ///< the completion's tokens
  bool finished = true;
};

/// A reward is any callable of that; NaN says that it cannot score this one.
using Reward = std::function<double(Sample const&)>;

/// 1 where the completion is the expected answer, white space around both aside.
[[nodiscard]] double exact_match(Sample const& sample);
/// 1 where the completion is one JSON value and nothing else; a Markdown fence around it is forgiven.
[[nodiscard]] double json_valid(Sample const& sample);
/// 1 where the last number of the completion is that of the expected answer. An answer in GSM8K's form counts from its last
/// "####"; a completion that has that mark is read from there. Commas in numbers, "$", "%" and a final stop do not count.
/// Source: Cobbe et al., "Training verifiers to solve math word problems", 2021 (the form of the answers).
[[nodiscard]] double arithmetic_answer(Sample const& sample);
/// The number that `arithmetic_answer` compares; nothing without one.
[[nodiscard]] std::optional<double> last_number(std::string_view text);

/// -max(0, tokens - free) / (limit - free), at least -1: a slope against long answers (DAPO, section 3.4).
[[nodiscard]] inline Reward length_penalty(Index free, Index limit) {
  require(free >= 0 && limit > free, "reward", "a length penalty rises from `free` to a `limit` above it: got ", free, " and ", limit);
  return [=](Sample const& sample) {
    auto const beyond = static_cast<double>(static_cast<Index>(sample.ids.size()) - free) / static_cast<double>(limit - free);
    return beyond <= 0 ? 0.0 : beyond >= 1 ? -1.0 : -beyond;
  };
}
/// Minus the share of n-grams of tokens that stood in the completion before.
[[nodiscard]] Reward repetition_penalty(Index n = 4);

/// Σ weight·reward. A reward that cannot score a completion is left out; if none can, nor can the sum.
[[nodiscard]] Reward weighted_sum(std::vector<std::pair<double, Reward>> parts);

/// One of the rewards above by name: exact_match, json_valid, arithmetic_answer, length_penalty:FREE:LIMIT,
/// repetition_penalty[:N]. Errors: [reward] another name, numbers that do not belong to it.
[[nodiscard]] Reward named_reward(std::string_view name);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/train/verifiable_rewards.tpp>
#endif
