// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <graft/loss/concept.hpp>
#include <graft/loss/score_loss.hpp>
#include <graft/model/transformer.hpp>

#include <concepts>

namespace graft {

namespace detail {

/// Whether a loss has a gradient with respect to the entropy: always or never, or as its values have it.
template <class L>
[[nodiscard]] constexpr bool needs_entropy(L const& loss) {
  if constexpr (requires { { loss.needs_entropy() } -> std::same_as<bool>; })
    return loss.needs_entropy();
  else if constexpr (requires { { L::needs_entropy } -> std::convertible_to<bool>; })
    return L::needs_entropy;
  else
    return false;
}

/// Whether a loss reads log Σ p².
template <class L>
[[nodiscard]] constexpr bool needs_sum_sq_probs([[maybe_unused]] L const& loss) {
  if constexpr (requires { { loss.needs_sum_sq_probs() } -> std::same_as<bool>; })
    return loss.needs_sum_sq_probs();
  else
    return false;
}

}  // namespace detail

/// What a model can be trained on: a loss on token statistics, or one on scores.
template <class L>
concept TrainingLoss = Loss<L> || ScoreLoss<L>;

/// The pass of a training step on a loss.
template <TrainingLoss L>
[[nodiscard]] constexpr PassOptions step_options([[maybe_unused]] L const& loss) {
  PassOptions pass = PassOptions::step();
  if constexpr (Loss<L>) {
    pass.entropy_gradient = detail::needs_entropy(loss);
    pass.sum_sq_probs = detail::needs_sum_sq_probs(loss);
  } else {
    pass.heads = Heads::score;
  }
  if constexpr (requires { { loss.temperature } -> std::convertible_to<double>; }) pass.temperature = loss.temperature;
  return pass;
}

/// Adds d loss / d θ of one batch to the gradients of everything that `model` trains; dropout acts. Several calls whose
/// batches carry one normalizer (see `TokenBatch`) add up to the gradient of the whole: gradient accumulation. A loss with a
/// member `temperature` is given the statistics of the logits divided by it. `pass`: `step_options(loss)`, or these changed.
template <class Model, TrainingLoss L, std::derived_from<typename L::Batch> Batch>
LossReport accumulate_grad(Model& model, L const& loss, Batch const& batch, PassOptions const& pass) {
  auto const stats = model.forward(batch, pass);
  auto const& known = static_cast<typename L::Batch const&>(batch);
  if constexpr (Loss<L>) {
    auto const gradient = model.token_gradient();
    LossReport const report = loss(stats, known, gradient);
    model.backward(gradient);
    return report;
  } else {
    auto const gradient = model.score_gradient();
    LossReport const report = loss(model.scores(), known, gradient);
    model.backward({}, gradient);
    return report;
  }
}

template <class Model, TrainingLoss L, std::derived_from<typename L::Batch> Batch>
LossReport accumulate_grad(Model& model, L const& loss, Batch const& batch) {
  return accumulate_grad(model, loss, batch, step_options(loss));
}

/// The loss of a batch and its gradient, which replaces what the gradients held.
template <class Model, class L, class Batch>
LossReport value_and_grad(Model& model, L const& loss, Batch const& batch) {
  static_assert(TrainingLoss<L>, "the second argument must model graft::Loss: an aggregate with a nested Batch, callable as "
                                 "loss(stats, batch, gradient) -> LossReport, or graft::ScoreLoss – see docs/loss.md");
  static_assert(std::derived_from<Batch, typename L::Batch>,
                "this loss reads more than this batch holds: its nested Batch must be the batch's type or a base of it");
  model.trainable().zero_grad();
  return accumulate_grad(model, loss, batch);
}

/// The same over the micro-batches of one optimizer step.
template <class Model, class L, class Batches>
  requires requires(Batches const& batches) { batches.begin() != batches.end(); }
LossReport value_and_grad(Model& model, L const& loss, Batches const& micro_batches) {
  model.trainable().zero_grad();
  LossReport total;
  for (auto const& batch : micro_batches) total += accumulate_grad(model, loss, batch);
  return total;
}

}  // namespace graft
