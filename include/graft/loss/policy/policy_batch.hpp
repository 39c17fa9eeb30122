// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/token_batch.hpp>

#include <cstdint>
#include <vector>

namespace graft {

/// Completions that a policy drew, to learn from: S prompts with their completions, whose N tokens are supervised. What lies
/// beside the tokens comes from the rollout. `weights` is the mask: a token of weight 0 is part of no mean.
/// The sizes of the optimizer step make the micro-batches of a step add up to the step, however it is cut; 0: this batch's own.
struct PolicyBatch : TokenBatch {
  std::vector<std::int32_t> completions;  ///< (S + 1) where each completion's tokens begin among the N
  std::vector<double> old_logprobs;       ///< (N) of the policy that drew them
  std::vector<double> ref_logprobs;       ///< (N) of the reference; may be empty where no KL is asked for
  std::vector<double> advantages;         ///< (N)
  std::vector<double> old_values;         ///< (N) of the critic when they were drawn; empty without one
  std::vector<double> returns;            ///< (N) what the critic is to say; empty without one
  double step_sequences = 0;              ///< completions of the optimizer step
  double step_tokens = 0;                 ///< Σ weights of the optimizer step
  double rollout_tokens = 0;              ///< Σ weights of the rollout, divided by the optimizer steps that one pass over it takes
};

}  // namespace graft
