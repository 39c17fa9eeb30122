// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/concept.hpp>

#include <concepts>
#include <span>
#include <type_traits>

namespace graft {

/// A loss on what a score head says: a plain aggregate with a batch type, callable as loss(scores, batch, gradient):
///   scores (N), one for each of the batch's rows, read;  batch, what is known of them;
///   gradient (N), written whole: d value / d scores.
/// As a `Loss` it needs no model, no backend and no vocabulary. In its report, weight counts what is compared (groups of
/// answers), and negative_log_likelihood is that of the comparisons alone.
template <class L>
concept ScoreLoss = std::is_aggregate_v<L> && requires { typename L::Batch; } &&
                    std::derived_from<typename L::Batch, TokenBatch> &&
                    requires(L const& loss, std::span<double const> scores, typename L::Batch const& batch,
                             std::span<double> gradient) {
                      { loss(scores, batch, gradient) } -> std::same_as<LossReport>;
                    };

}  // namespace graft
