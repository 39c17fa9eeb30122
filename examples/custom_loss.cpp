// SPDX-License-Identifier: Apache-2.0
// A loss of your own: it sees four numbers a token and says how the loss changes with each; no model, no vocabulary.
//   custom_loss MODEL train.jsonl
// This one is focal loss (Lin et al., 2017) for language: -(1 - p)^γ·log p, which cares less for what is known already.
#include <graft/graft.hpp>

#include <cmath>
#include <cstdio>

using namespace graft;

struct FocalLoss {
  double gamma = 2;

  using Batch = TokenBatch;

  LossReport operator()(std::span<TokenStats const> stats, TokenBatch const& batch, std::span<TokenStats> gradient) const {
    double const normalizer = batch.normalizer > 0 ? batch.normalizer : batch.total_weight();
    LossReport report;
    for (std::size_t i = 0; i < stats.size(); ++i) {
      double const weight = batch.weights.empty() ? 1.0 : static_cast<double>(batch.weights[i]);
      double const logp = stats[i].target_logprob, p = std::exp(logp), rest = 1 - p;
      report.value -= weight * std::pow(rest, gamma) * logp / normalizer;
      report.negative_log_likelihood -= weight * logp;
      report.weight += weight;
      // d/d logp of -(1 - p)^γ·logp, with dp/dlogp = p
      double const slope = gamma * std::pow(rest, gamma - 1) * p * logp - std::pow(rest, gamma);
      gradient[i] = {.target_logprob = weight * slope / normalizer};
    }
    return report;
  }
};
static_assert(Loss<FocalLoss>);

int main(int argc, char** argv) {
  if (argc != 3) return std::puts("usage: custom_loss MODEL DATA.jsonl"), 2;
  auto model = load<Llama>(argv[1], Lora{.rank = 8, .alpha = 16});
  auto data = ChatData{argv[2], model.tokenizer(), {.batch_size = 8}};
  auto optimizer = bind(AdamW{}, model.trainable());
  for (int step = 0; auto const& batch : data.epochs(1)) {
    auto const report = value_and_grad(model, FocalLoss{.gamma = 1.5}, batch);
    optimizer.step(2e-4);
    std::printf("step %3d  focal loss %.4f  nll %.4f\n", step++, report.value, report.negative_log_likelihood / report.weight);
    if (step == 20) break;
  }
}
