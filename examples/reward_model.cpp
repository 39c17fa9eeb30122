// SPDX-License-Identifier: Apache-2.0
// Trains a reward model on pairs of answers and saves it for PEFT:  reward_model MODEL pairs.jsonl held_out.jsonl reward/
#include <graft/graft.hpp>

#include <cstdio>
#include <iostream>

using namespace graft;

int main(int argc, char** argv) {
  if (argc != 5) return std::puts("usage: reward_model MODEL PAIRS.jsonl HELD_OUT.jsonl OUTPUT"), 2;
  auto model = load<Llama>(argv[1], Lora{.rank = 16, .alpha = 32, .target_modules = all_linear});
  model.add_score_head();
  auto data = RewardData{argv[2], model.tokenizer(), {.batch_size = 4, .max_length = 512, .seed = 7}};
  auto held_out = RewardData{argv[3], model.tokenizer(), {.batch_size = 4, .max_length = 512, .shuffle = false}};
  auto optimizer = bind(AdamW{}, model.trainable());
  auto schedule = CosineWithWarmup{.peak_lr = 1e-4, .warmup_steps = 10, .total_steps = data.total_steps(1)};
  auto loss = BradleyTerry{.center_rewards_coefficient = 0.01};

  Index step = 0;
  for (auto const& batch : data.epochs(1)) {
    auto const report = value_and_grad(model, loss, batch);
    clip_grad_norm(model.trainable(), 1.0);
    optimizer.step(schedule(step));
    std::printf("step %3td  loss %.4f  accuracy %.2f  margin %.3f\n", step++, report.value, report.metrics["accuracy"], report.metrics["margin"]);
  }
  print_reward_evaluation(std::cout, evaluate_reward(model, held_out.epochs(1)), held_out.dataset().sources());
  save_peft(model, argv[4], argv[1]);
}
