# SPDX-License-Identifier: Apache-2.0
"""TRL's SFTTrainer on prompts and completions, with --dpo or --reward its DPOTrainer or RewardTrainer on pairs, with PEFT's LoRA, in float."""

import gzip
import json
import tempfile

import torch
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

from measure import Steps, arguments, load, load_classifier, lora_config, print_result, trainer_options


class Clock(TrainerCallback):
    def __init__(self, steps: Steps, batch: int):
        self.steps, self.batch, self.tokens = steps, batch, 0

    def on_step_begin(self, args, state, control, **_):
        self.tokens = 0
        self.steps.begin()

    def on_step_end(self, args, state, control, **_):
        self.steps.end(self.tokens, self.batch)


def counting(trainer_class, clock: Clock):
    """The trainer, with the tokens of each batch that are no padding counted."""

    class Counting(trainer_class):
        def training_step(self, model, inputs, *rest, **named):
            clock.tokens += sum(int(value.sum()) for key, value in inputs.items() if key.endswith("attention_mask"))
            return super().training_step(model, inputs, *rest, **named)

    return Counting


def main():
    args = arguments("dpo", "reward")
    torch.set_num_threads(args.threads)
    with (gzip.open if args.data.suffix == ".gz" else open)(args.data, "rt") as file:
        records = [json.loads(line) for line in file][: args.batch * (args.warmup + args.steps)]
    steps = Steps(args.warmup)
    clock = Clock(steps, args.batch)
    with tempfile.TemporaryDirectory() as output:
        common = dict(per_device_train_batch_size=args.batch, max_steps=args.warmup + args.steps, **trainer_options(output))
        read, adapter = load, lora_config()
        if args.dpo:
            kind, config = DPOTrainer, DPOConfig(max_length=512, **common)
        elif args.reward:
            kind, config = RewardTrainer, RewardConfig(max_length=512, **common)
            read, adapter = load_classifier, lora_config(exclude_modules="score", modules_to_save=["score"], task_type="SEQ_CLS")
        else:
            kind, config = SFTTrainer, SFTConfig(max_length=1024, **common)
        trainer = counting(kind, clock)(
            model=read(args.model, torch.float32), args=config, train_dataset=Dataset.from_list(records),
            processing_class=AutoTokenizer.from_pretrained(args.model), peft_config=adapter, callbacks=[clock])
        trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    print_result(steps, args.threads, losses[-1], ["torch", "transformers", "peft", "trl"])


main()
