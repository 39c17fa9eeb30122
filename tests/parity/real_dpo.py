# SPDX-License-Identifier: Apache-2.0
"""DPO on the real SmolLM2-135M by TRL's DPOTrainer, in the keys of `graft dpo`'s metrics.jsonl, and the comparison.

    python tests/parity/real_smollm2.py make-adapter INIT
    graft dpo --model M.gguf --data PAIRS --init-adapter INIT --batch-size 4 --max-steps 8 --max-length 256 --no-shuffle
        --learning-rate 1e-4 --schedule constant --precision f32 --output OURS
    python tests/parity/real_dpo.py --data PAIRS --init-adapter INIT --steps 8 --metrics OURS/metrics.jsonl

Rewards are small differences of large sums, so float32 itself blurs them: --dtype float64 --write THEIRS keeps TRL's rows of a float64
model (whose norms and rotations transformers still computes in float32), and --metrics THEIRS beside a run in float32 says how far TRL's own
float32 is off. docs/preference.md has both beside graft in double.

Dropout is off, both read the pairs in the file's order. Prints a line a step with both figures and the largest relative
difference of each; the reward accuracy is exact or not.
"""

import argparse
import json
import tempfile
from pathlib import Path

import fixture_files  # noqa: F401  (sets one thread and keeps the hub out)
import torch
from datasets import Dataset
from smollm2_oracle import SmolLm2, default_model, records_of, with_adapter
from transformers import PrinterCallback, TrainerCallback
from trl import DPOConfig, DPOTrainer

KEYS = ("loss", "grad_norm", "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen",
        "logps/rejected")


class Say(TrainerCallback):
    """A line a step as it comes: the steps are slow."""

    def __init__(self, show):
        self.show = show

    def on_log(self, args, state, control, logs=None, **_):
        if logs and "loss" in logs:
            self.show({"step": state.global_step, **{key: logs[key] for key in KEYS}})


def run_theirs(options, show) -> None:
    torch.set_num_threads(options.threads)
    source = SmolLm2(options.model)
    model, tokenizer = with_adapter(source.model(getattr(torch, options.dtype)), options.init_adapter, True), source.tokenizer()
    pairs = records_of(options.data, 4 * options.batch * options.steps)  # more than are taken: some are too long
    with tempfile.TemporaryDirectory() as folder:
        arguments = DPOConfig(output_dir=folder, use_cpu=True, bf16=False, report_to="none", gradient_checkpointing=False,
                              train_sampling_strategy="sequential", per_device_train_batch_size=options.batch,
                              max_steps=options.steps, save_strategy="no", learning_rate=options.lr, lr_scheduler_type="constant",
                              optim="adamw_torch", weight_decay=0.0, max_grad_norm=1.0, logging_steps=1, disable_tqdm=True,
                              max_length=options.max_length, beta=options.beta, loss_type=[options.loss],
                              use_weighting=options.use_weighting)
        trainer = DPOTrainer(model=model, args=arguments, processing_class=tokenizer, train_dataset=Dataset.from_list(pairs))
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(Say(show))
        trainer.train()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=default_model())
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--init-adapter", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, help="metrics.jsonl of graft dpo")
    parser.add_argument("--write", type=Path, help="keeps TRL's rows as such a file")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--beta", type=float, default=0.1)
    parser.add_argument("--loss", default="sigmoid")
    parser.add_argument("--use-weighting", action="store_true", help="of graft dpo too")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    ours = {}
    if options.metrics:
        ours = {row["step"]: row for row in map(json.loads, options.metrics.read_text().splitlines()) if "step" in row}
    worst = dict.fromkeys(KEYS, 0.0)
    if options.write:
        options.write.unlink(missing_ok=True)

    def show(row: dict) -> None:
        mine = ours.get(row["step"])
        if options.write:
            with options.write.open("a") as file:
                file.write(json.dumps(row) + "\n")
        print(json.dumps({"step": row["step"], **{key: [row[key], mine[key]] if mine else row[key] for key in KEYS}}), flush=True)
        for key in KEYS if mine else ():
            worst[key] = max(worst[key], abs(row[key] - mine[key]) / max(abs(row[key]), 1e-3))

    run_theirs(options, show)
    if ours:
        print(json.dumps({"largest_relative_difference": worst}))


if __name__ == "__main__":
    main()
