# SPDX-License-Identifier: Apache-2.0
"""TRL's GRPOTrainer, or with --ppo its PPOTrainer, on prompts, with PEFT's LoRA, in float: 8 completions of at most 64 tokens a step.

GRPO draws 8 completions of one prompt. PPO draws one of each of 8 prompts and learns four epochs; its reward and value models are
sequence classifiers of the policy's size, the value model trained whole, as the trainer has it. TRL dropped PPO after 1.12: that
version must come first in PYTHONPATH.
"""

import json
import tempfile

import torch
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback

from measure import Steps, arguments, load, load_classifier, lora_config, print_result, trainer_options

COMPLETIONS, NEW_TOKENS = 8, 64


class Clock(TrainerCallback):
    """From the end of one step to the end of the next: rollout, scoring and learning."""

    def __init__(self, steps: Steps, batch: int):
        self.steps, self.batch = steps, batch

    def on_train_begin(self, args, state, control, **_):
        self.steps.begin()

    def on_step_end(self, args, state, control, **_):
        self.steps.end(0, self.batch)
        self.steps.begin()


def repetition(completions, completion_ids, **_) -> list[float]:
    """Some reward that differs between completions."""
    return [len(set(ids)) / max(len(ids), 1) for ids in completion_ids]


def grpo(args, records, tokenizer, common, clock):
    from trl import GRPOConfig, GRPOTrainer

    config = GRPOConfig(num_generations=COMPLETIONS, max_completion_length=NEW_TOKENS, beta=0.04, use_vllm=False,
                        per_device_train_batch_size=COMPLETIONS, max_steps=args.warmup + args.steps, shuffle_dataset=False, **common)
    return GRPOTrainer(model=load(args.model, torch.float32), args=config, reward_funcs=repetition, processing_class=tokenizer,
                       train_dataset=Dataset.from_list(records), peft_config=lora_config(), callbacks=[clock])


def ppo(args, records, tokenizer, common, clock):
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    texts = [tokenizer.apply_chat_template(record["prompt"], add_generation_prompt=True, tokenize=False) for record in records]
    data = Dataset.from_list([{"input_ids": tokenizer(text)["input_ids"]} for text in texts])
    config = PPOConfig(per_device_train_batch_size=COMPLETIONS, num_mini_batches=1, num_ppo_epochs=4, kl_coef=0.05,
                       response_length=NEW_TOKENS, stop_token="eos", local_rollout_forward_batch_size=COMPLETIONS,
                       num_sample_generations=0, total_episodes=COMPLETIONS * (args.warmup + args.steps), **common)
    reward, value = (load_classifier(args.model, torch.float32) for _ in range(2))
    return PPOTrainer(model=load(args.model, torch.float32), ref_model=None, reward_model=reward, value_model=value, args=config,
                      processing_class=tokenizer, train_dataset=data, eval_dataset=data.select(range(COMPLETIONS)),
                      peft_config=lora_config(), callbacks=[clock])


def main():
    args = arguments("ppo")
    torch.set_num_threads(args.threads)
    records = [json.loads(line) for line in open(args.data)][: args.batch * (args.warmup + args.steps)]
    tokenizer = AutoTokenizer.from_pretrained(args.model, padding_side="left")
    if args.ppo and tokenizer.pad_token_id == tokenizer.eos_token_id:
        tokenizer.add_special_tokens({"pad_token": tokenizer.convert_ids_to_tokens(0)})
    steps = Steps(args.warmup)
    with tempfile.TemporaryDirectory() as output:
        trainer = (ppo if args.ppo else grpo)(args, records, tokenizer, trainer_options(output), Clock(steps, args.batch))
        trainer.train()
    print_result(steps, args.threads, 0.0, ["torch", "transformers", "peft", "trl"])


main()
