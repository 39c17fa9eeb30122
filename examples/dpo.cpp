// SPDX-License-Identifier: Apache-2.0
// Learns from pairs of answers, of which one was preferred (Rafailov et al. 2023); the reference is the model itself with its
// adapter off:  dpo MODEL pairs.jsonl adapter/      lines are {"prompt": …, "chosen": …, "rejected": …}
#include <graft/data/preference_data.hpp>
#include <graft/graft.hpp>
#include <graft/loss/preference/dpo.hpp>
#include <graft/train/with_reference.hpp>

#include <cstdio>

using namespace graft;

int main(int argc, char** argv) {
  if (argc != 4) return std::puts("usage: dpo MODEL PAIRS.jsonl OUTPUT"), 2;
  auto model = load<Llama>(argv[1], Lora{.rank = 16, .alpha = 32, .target_modules = all_linear});
  auto pairs = PreferenceData{argv[2], model.tokenizer(), {.batch_size = 4, .max_length = 512, .seed = 7}};
  auto reference = ReferencePolicy{model, ReferenceKind::base, true};
  auto data = WithReference{pairs, reference};
  auto optimizer = bind(AdamW{}, model.trainable());
  auto loss = Dpo<>{.beta = 0.1};

  Index step = 0;
  for (auto const& batch : data.epochs(1)) {
    auto const report = value_and_grad(model, loss, batch);
    clip_grad_norm(model.trainable(), 1.0);
    optimizer.step(5e-6);
    std::printf("step %3td  loss %.4f  accuracy %.2f  margin %.4f\n", step++, report.value, report.metrics["rewards/accuracies"],
                report.metrics["rewards/margins"]);
  }
  save_peft(model, argv[3], argv[1]);
}
