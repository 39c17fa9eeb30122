// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model_flags.hpp"

#include <graft/model/sampling.hpp>

namespace cli {

struct GenerationFlags {
  graft::Index max_new_tokens = 256;
  bool greedy = false;
  graft::Sampling sampling;
};

inline void add_generation_flags(CLI::App& app, GenerationFlags& flags) {
  app.add_option("--max-new-tokens", flags.max_new_tokens, "longest answer")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--greedy", flags.greedy, "always the most probable token");
  app.add_option("--temperature", flags.sampling.temperature, "divides the logits")->capture_default_str();
  app.add_option("--top-k", flags.sampling.top_k, "only the k most probable tokens; 0: all")->capture_default_str();
  app.add_option("--top-p", flags.sampling.top_p, "only the most probable tokens with this mass")->capture_default_str();
  app.add_option("--min-p", flags.sampling.min_p, "only tokens with this share of the largest probability")->capture_default_str();
  app.add_option("--repetition-penalty", flags.sampling.repetition_penalty, "above 1: against repetition")->capture_default_str();
  app.add_option("--seed", flags.sampling.seed, "of the draws")->capture_default_str();
}

[[nodiscard]] inline graft::Sampling sampling(GenerationFlags const& flags) {
  graft::Sampling sampling = flags.sampling;
  sampling.greedy = flags.greedy;
  return sampling;
}

}  // namespace cli
