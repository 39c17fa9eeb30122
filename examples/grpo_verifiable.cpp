// SPDX-License-Identifier: Apache-2.0
// GRPO with a reward that is a program: sums that the model must get right.   grpo_verifiable MODEL OUTPUT
#include <graft/graft.hpp>
#include <graft/train/policy_gradient.hpp>
#include <graft/train/verifiable_rewards.hpp>

#include <cstdio>

using namespace graft;

int main(int argc, char** argv) {
  if (argc != 3) return std::puts("usage: grpo_verifiable MODEL OUTPUT"), 2;
  auto model = load<Llama>(argv[1], Lora{.rank = 16, .alpha = 32});
  auto optimizer = bind(AdamW{}, model.trainable());
  PolicyGradient const grpo{.kl = {.coefficient = 0.02}};
  RolloutOptions rollouts{.samples = 8, .generation = {.max_new_tokens = 4, .sampling = {.greedy = false}}};

  Rng rng(7);
  for (Index step = 0; step < 50; ++step) {
    std::vector<std::vector<std::int32_t>> prompts;
    std::vector<std::string> sums;
    for (int i = 0; i < 4; ++i) {
      auto const a = 2 + rng.below(50), b = 2 + rng.below(50);
      prompts.push_back(model.tokenizer().encode(std::to_string(a) + " + " + std::to_string(b) + " ="));
      sums.push_back(std::to_string(a + b));
    }
    rollouts.generation.sampling.seed = static_cast<std::uint64_t>(step);
    Rollout rollout = draw_rollout(model, prompts, rollouts);
    for (std::size_t s = 0; s < rollout.records.size(); ++s) {
      auto const text = model.tokenizer().decode(rollout.completion(s), {.invalid_utf8 = InvalidUtf8::replace});
      rollout.rewards.push_back(arithmetic_answer({.prompt = "", .completion = text, .expected = sums[s / 8], .record = "", .ids = {}}));
    }
    PolicyRow row;
    score_for_learning(model, rollout, grpo);  // the reference is the base: the adapter off
    compute_advantages(rollout, grpo, row);
    learn_from_rollout(model, optimizer, 1e-4, rollout, grpo, step).describe(true, false, row);
    std::printf("step %3td  reward %.3f  kl %.4f  entropy %.3f\n", step + 1, row.reward, row.kl, row.entropy);
  }
  save_peft(model, argv[2], argv[1]);
}
