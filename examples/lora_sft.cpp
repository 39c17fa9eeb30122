// SPDX-License-Identifier: Apache-2.0
// Fine-tunes a LoRA adapter on a JSONL file and saves it for PEFT:  lora_sft MODEL.gguf train.jsonl adapter/
#include <graft/graft.hpp>

#include <cstdio>

using namespace graft;

int main(int argc, char** argv) {
  if (argc != 4) return std::puts("usage: lora_sft MODEL DATA.jsonl OUTPUT"), 2;
  auto model = load<Llama>(argv[1], Lora{.rank = 16, .alpha = 32, .target_modules = all_linear});
  auto data = ChatData{argv[2], model.tokenizer(), {.batch_size = 8, .seed = 7}};
  auto optimizer = bind(AdamW{.weight_decay = 0.01}, model.trainable());
  auto schedule = CosineWithWarmup{.peak_lr = 2e-4, .warmup_steps = 20, .total_steps = data.total_steps(1)};
  auto loss = CrossEntropy{};

  Index step = 0;
  for (auto const& batch : data.epochs(1)) {
    auto const report = value_and_grad(model, loss, batch);
    double const norm = clip_grad_norm(model.trainable(), 1.0);
    optimizer.step(schedule(step));
    std::printf("step %3td  loss %.4f  grad norm %.3f\n", step++, report.value, norm);
  }
  save_peft(model, argv[3], argv[1]);
}
