// SPDX-License-Identifier: Apache-2.0
// A preference objective of your own: it sees the log-probabilities of a pair of answers and says how its value changes with
// each. This one squares DPO's hinge, so that a pair just short of its margin pulls gently:
//   custom_preference_loss MODEL pairs.jsonl
#include <graft/data/preference_data.hpp>
#include <graft/graft.hpp>
#include <graft/loss/preference/dpo.hpp>
#include <graft/train/with_reference.hpp>

#include <algorithm>
#include <cstdio>

using namespace graft;

struct SquaredHinge {
  double margin = 1;

  double operator()(PairStep const& step, AnswerPair const& pair, PairSlope& slope) const {
    double const lack = std::max(0.0, margin - step.beta * (pair.chosen.score - pair.rejected.score));
    slope.chosen.score -= 2 * lack * step.beta;
    slope.rejected.score += 2 * lack * step.beta;
    return lack * lack;
  }
};
static_assert(PreferenceObjective<SquaredHinge>);

int main(int argc, char** argv) {
  if (argc != 3) return std::puts("usage: custom_preference_loss MODEL PAIRS.jsonl"), 2;
  auto model = load<Llama>(argv[1], Lora{.rank = 8, .alpha = 16});
  auto pairs = PreferenceData{argv[2], model.tokenizer(), {.batch_size = 4, .max_length = 512}};
  auto reference = ReferencePolicy{model, ReferenceKind::base, true};
  auto data = WithReference{pairs, reference};
  auto optimizer = bind(AdamW{}, model.trainable());
  auto const loss = Dpo<SquaredHinge>{.beta = 0.1, .objective = {.margin = 0.5}};
  for (int step = 0; auto const& batch : data.epochs(1)) {
    auto const report = value_and_grad(model, loss, batch);
    optimizer.step(5e-6);
    std::printf("step %3d  loss %.4f  margin %.4f\n", step++, report.value, report.metrics["rewards/margins"]);
    if (step == 20) break;
  }
}
