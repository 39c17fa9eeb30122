// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/token_weights.hpp>

namespace graft {

/// Next-token cross entropy with label smoothing ε and a z-loss of coefficient ζ. For a token with logits l (V),
/// target y, lse = log Σ exp l and weight w, divided by the normalizer Z of the batch:
///   value = Σ w·[ (1-ε)·(lse - l_y) + ε·(lse - mean l) + ζ·lse² ] / Z
/// The smoothed part is the mean over the vocabulary of -log p: what transformers' LabelSmoother computes, that is a
/// target of 1-ε+ε/V on y and ε/V elsewhere (Szegedy et al. 2016, section 7). The z-loss keeps the softmax normaliser
/// near 1 (Chowdhery et al. 2022, PaLM, section 5). With both 0 it is the mean negative log-likelihood.
/// Errors: [cross_entropy] for ε outside [0, 1), ζ < 0, or statistics that do not fit the batch.
struct CrossEntropy {
  using Batch = TokenBatch;

  double label_smoothing = 0;  ///< ε
  double z_loss = 0;           ///< ζ; PaLM used 1e-4

  friend bool operator==(CrossEntropy const&, CrossEntropy const&) = default;

  LossReport operator()(std::span<TokenStats const> stats, Batch const& batch, std::span<TokenStats> gradient) const;
};

static_assert(Loss<CrossEntropy>);

}  // namespace graft

#ifndef GRAFT_COMPILED
#include <graft/loss/cross_entropy.tpp>
#endif
