// SPDX-License-Identifier: Apache-2.0
// The loop is yours: accumulation by hand, held-out evaluation, a checkpoint to resume from.
//   custom_loop MODEL train.jsonl heldout.jsonl OUTPUT
#include <graft/graft.hpp>

#include <cstdio>

using namespace graft;

int main(int argc, char** argv) {
  if (argc != 5) return std::puts("usage: custom_loop MODEL DATA.jsonl HELDOUT.jsonl OUTPUT"), 2;
  std::filesystem::path const output = argv[4];
  auto model = load<Llama>(argv[1], Lora{.rank = 16, .alpha = 32, .dropout = 0.05});
  auto data = ChatData{argv[2], model.tokenizer(), {.batch_size = 8, .tokens_per_batch = 2048, .seed = 7}};
  auto held_out = ChatData{argv[3], model.tokenizer(), {.tokens_per_batch = 2048, .shuffle = false}};
  auto optimizer = bind(Lion{.weight_decay = 0.01}, model.trainable());
  auto schedule = CosineWithWarmup{.peak_lr = 5e-5, .warmup_steps = 10, .total_steps = data.total_steps(2)};

  TrainerState state;
  if (auto const checkpoint = latest_checkpoint(output)) {  // a killed run goes on to the same bits
    state = load_checkpoint(*checkpoint, model, optimizer);
    data.seek(state.cursor);
    model.set_dropout(7, state.dropout_pass);
  }
  for (auto const& micro_batches : data.steps(2)) {
    model.trainable().zero_grad();
    double value = 0;
    for (auto const& batch : micro_batches) value += accumulate_grad(model, CrossEntropy{}, batch).value;
    clip_grad_norm(model.trainable(), 1.0);
    optimizer.step(schedule(state.step++));
    std::printf("step %3td  loss %.4f\n", state.step, value);
    if (state.step % 50 != 0) continue;
    held_out.rewind();
    std::printf("held-out loss %.4f\n", evaluate(model, held_out.epochs(1)).nll_per_token());
    state.cursor = data.cursor();
    state.dropout_pass = model.pass();
    save_checkpoint(output / ("checkpoint-" + std::to_string(state.step)), model, optimizer, state);
  }
  save_peft(model, output / "adapter", argv[1]);
}
