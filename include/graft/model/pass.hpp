// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/core/scalar.hpp>

#include <cstddef>
#include <cstdint>

namespace graft {

/// Which heads read the hidden states of a pass. `none`: the pass stops at the hidden states themselves.
enum class Heads : std::uint8_t { none = 0, language = 1, score = 2, both = 3 };

[[nodiscard]] constexpr bool has(Heads heads, Heads one) {
  return (static_cast<unsigned>(heads) & static_cast<unsigned>(one)) == static_cast<unsigned>(one);
}
[[nodiscard]] constexpr Heads operator|(Heads a, Heads b) {
  return static_cast<Heads>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// How a forward pass runs.
struct PassOptions {
  bool gradient = false;         ///< keep what backward needs
  bool training = false;         ///< dropout acts
  bool adapters = true;          ///< false: the base model alone
  bool entropy_gradient = false;  ///< the loss will have a gradient with respect to the entropy
  Heads heads = Heads::language;
  double temperature = 1;  ///< the token statistics are those of the logits divided by it, as a sampler's are
  bool cached = false;            ///< new tokens over cached keys and values: the logits of all `supervised` rows exist
  bool sum_sq_probs = false;      ///< the token statistics have log Σ p²

  /// A pass of a training step.
  [[nodiscard]] static constexpr PassOptions step(Heads heads = Heads::language) { return {true, true, true, false, heads}; }
};

/// The largest batch of a run: what memory is planned for.
struct BatchExtent {
  Index tokens = 0;
  Index supervised = 0;
  Index sequences = 0;
};

/// What a training step of one shape needs, found by running it dry.
struct StepPlan {
  std::size_t arena_bytes = 0;  ///< activations and scratch
  double flops = 0;             ///< of products and attention, forward and backward
  std::size_t paged_bytes = 0;  ///< of the arena, what `page_activations` keeps out of memory: all layers but one
};

}  // namespace graft
