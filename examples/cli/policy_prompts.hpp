// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "prompts.hpp"

#include <graft/train/rollouts.hpp>
#include <graft/train/verifiable_rewards.hpp>

#include <string>
#include <vector>

namespace cli {

/// Prompts with what a reward wants to know of them.
struct PolicyPrompts {
  Prompts prompts;
  std::vector<std::string> texts, expected, records;

  [[nodiscard]] graft::Index size() const { return static_cast<graft::Index>(texts.size()); }
};

/// Reads the prompts of a JSONL file, as `read_prompts`, and their expected answers at the key `answer_field` where they have one.
/// A prompt of more than `longest` tokens is left out, and counted on standard error.
[[nodiscard]] PolicyPrompts read_policy_prompts(std::string const& path, std::string const& answer_field, Session const& session,
                                                ModelFlags const& flags, graft::Index longest);

/// What a program says of every sequence of a rollout whose records are indices into `prompts`.
[[nodiscard]] std::vector<double> rewards_of(graft::Rollout const& rollout, PolicyPrompts const& prompts, graft::Reward const& reward,
                                             graft::Tokenizer const& tokenizer);

}  // namespace cli
