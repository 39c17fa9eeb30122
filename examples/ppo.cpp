// SPDX-License-Identifier: Apache-2.0
// PPO with a critic that is a second adapter on the same base: short answers without repetition.   ppo MODEL prompts.jsonl OUTPUT
#include <graft/data/line_reader.hpp>
#include <graft/graft.hpp>
#include <graft/train/policy_gradient.hpp>
#include <graft/train/verifiable_rewards.hpp>

#include <cstdio>

using namespace graft;

int main(int argc, char** argv) {
  if (argc != 4) return std::puts("usage: ppo MODEL PROMPTS.jsonl OUTPUT"), 2;
  auto policy = load<Llama>(argv[1], Lora{.rank = 16, .alpha = 32});
  auto critic = load<Llama>(argv[1], Lora{.rank = 16, .alpha = 32});
  critic.add_score_head();
  auto optimizer = bind(AdamW{}, joint_trainable<Transformer<Llama, float, DefaultBackend, Lora>>(policy, critic));
  SeparateCritic<Transformer<Llama, float, DefaultBackend, Lora>> const separate{&critic};

  auto const format = ChatFormat::recognise(policy.tokenizer().spec());
  std::vector<std::vector<std::int32_t>> prompts;
  LineReader reader(argv[2], {});
  std::set<std::string> ignored;
  for (std::string line; reader.next(line);) {
    auto const prompt = parse_prompt(line, {}, ignored);
    auto const* text = std::get_if<std::string>(&prompt);
    auto const messages = text != nullptr ? std::vector<Message>{{"user", *text}} : std::get<std::vector<Message>>(prompt);
    prompts.push_back(encode_chat(policy.tokenizer(), format, messages, {.add_generation_prompt = true}).ids);
  }
  Reward const reward = weighted_sum({{1, length_penalty(16, 64)}, {1, repetition_penalty()}});
  PolicyGradient const ppo{.advantages = AdvantageMethod::gae,
                           .loss = {.aggregation = PolicyAggregation::bnpo},
                           .kl = {.coefficient = 0.05},
                           .missing_eos_penalty = 1,
                           .num_iterations = 4};
  RolloutOptions rollouts{.samples = 1,
                          .generation = {.max_new_tokens = 64,
                                         .sampling = {.greedy = false},
                                         .stop_ids = {*policy.tokenizer().token_id(format.end_of_turn())}}};
  for (Index step = 0; step < 50; ++step) {
    std::vector<std::vector<std::int32_t>> chosen;
    for (std::size_t i = 0; i < 16; ++i) chosen.push_back(prompts[(static_cast<std::size_t>(step) * 16 + i) % prompts.size()]);
    rollouts.generation.sampling.seed = static_cast<std::uint64_t>(step);
    Rollout rollout = draw_rollout(policy, chosen, rollouts);
    for (std::size_t s = 0; s < chosen.size(); ++s)
      rollout.rewards.push_back(reward({.prompt = "", .completion = "", .expected = "", .record = "", .ids = rollout.completion(s)}));
    PolicyRow row;
    score_for_learning(policy, rollout, ppo, separate);
    compute_advantages(rollout, ppo, row);
    learn_from_rollout(policy, optimizer, 1e-5, rollout, ppo, step, separate).describe(true, true, row);
    std::printf("step %3td  reward %.3f  kl %.4f  value loss %.4f  length %.1f\n", step + 1, row.reward, row.objective_kl, row.value_loss,
                row.mean_length);
  }
  save_peft(policy, argv[3], argv[1]);
}
