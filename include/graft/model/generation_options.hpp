// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/view.hpp>
#include <graft/model/sampling.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace graft {

struct GenerationOptions {
  Index max_new_tokens = 128;
  Sampling sampling = {};
  std::vector<std::int32_t> stop_ids = {};  ///< end a sequence; the token itself is part of the result
  Index batch = 32;                         ///< sequences decoded together
  Index prefill_tokens = 1024;              ///< prompt tokens processed together
  std::size_t cache_bytes = std::size_t{768} << 20;  ///< limits the sequences decoded together
  bool adapters = true;
  /// Answers whose probability is asked for too, one a prompt, or none at all. They do not change what is generated.
  std::span<std::vector<std::int32_t> const> answers = {};
  /// Called with (sequence, new tokens so far) after each token; true ends the sequence. For stop strings and streaming.
  std::function<bool(std::size_t, std::span<std::int32_t const>)> on_token = {};
};

struct Generation {
  std::vector<std::int32_t> ids;  ///< new tokens, a stop token included
  bool stopped = false;           ///< false: it ran into max_new_tokens
  double answer_nll = 0;          ///< -Σ log p(answer | prompt) in nats of the answer in the options
};

}  // namespace graft
