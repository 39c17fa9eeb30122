# SPDX-License-Identifier: Apache-2.0
"""Reward models on the real SmolLM2-135M-Instruct: what PEFT makes of graft's adapter, and TRL's RewardTrainer beside it.

    python tests/parity/real_reward.py score --adapter DIR --data records.jsonl [--against rewards.jsonl]
        rewards as AutoModelForSequenceClassification and PEFT give them, in the JSON lines of `graft score`; with --against,
        the largest deviation from those
    python tests/parity/real_reward.py trl --data pairs.jsonl --eval-data held_out.jsonl --output DIR [--init-adapter DIR]
        RewardTrainer for some steps: losses, pairs/s, peak memory, held-out accuracy with Wilson's 95 % interval
"""

import argparse
import json
import math
import resource
import time
from pathlib import Path

import fixture_files  # noqa: F401  (one thread, no hub)
import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from smollm2_oracle import SmolLm2, default_model, records_of, with_adapter
from transformers import AutoModelForSequenceClassification, PrinterCallback
from trl import RewardConfig, RewardTrainer
from trl.data_utils import _tokenize, is_conversational


def classifier(source: SmolLm2):
    """The sequence classifier on the dequantised base; its head is random until an adapter brings one."""
    config = source.config()
    config.num_labels = 1
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32).eval()
    base = {name: tensor for name, tensor in source.model().state_dict().items() if name != "lm_head.weight"}
    missing, unexpected = model.load_state_dict(base, strict=False)
    assert set(missing) == {"score.weight"} and not unexpected, (missing, unexpected)
    return model


def ids_of(record: dict, tokenizer) -> list[int]:
    whole = record["prompt"] + record["completion"] if "completion" in record else record.get("messages", record.get("text"))
    if not is_conversational({"text": whole}) and isinstance(whole, str) and not whole.endswith(tokenizer.eos_token):
        whole += tokenizer.eos_token
    return _tokenize(tokenizer, whole)["input_ids"]


def score(options) -> None:
    source = SmolLm2(options.model)
    tokenizer = source.tokenizer()
    model = with_adapter(classifier(source), options.adapter)
    ours = [json.loads(line) for line in open(options.against)] if options.against else None
    largest = scale = 0.0
    for number, record in enumerate(records_of(options.data, options.limit)):
        ids = ids_of(record, tokenizer)
        with torch.no_grad():
            reward = model(input_ids=torch.tensor([ids])).logits.item()
        print(json.dumps({"line": number + 1, "reward": reward, "tokens": len(ids)}), flush=True)
        if ours:
            assert ours[number]["tokens"] == len(ids), (number, ours[number], len(ids))
            largest, scale = max(largest, abs(ours[number]["reward"] - reward)), max(scale, abs(reward))
    if ours:
        print(f"largest deviation {largest:.2e} of rewards up to {scale:.3f}")


def wilson(right: int, count: int, z: float = 1.959963984540054) -> tuple[float, float]:
    p = right / count
    centre, half = p + z * z / (2 * count), z * math.sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    return (centre - half) / (1 + z * z / count), (centre + half) / (1 + z * z / count)


def trl(options) -> None:
    disable_progress_bars()
    torch.set_num_threads(options.threads)
    source = SmolLm2(options.model)
    model, peft_config = classifier(source), None
    if options.init_adapter:
        model = with_adapter(model, options.init_adapter, trainable=True)
    else:
        peft_config = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", exclude_modules="score",
                                 modules_to_save=["score"], task_type="SEQ_CLS")
    arguments = RewardConfig(output_dir=str(options.output), use_cpu=True, bf16=False, report_to="none", gradient_checkpointing=False,
                             train_sampling_strategy="sequential", per_device_train_batch_size=options.batch, max_steps=options.steps,
                             save_strategy="no", learning_rate=options.lr, lr_scheduler_type="linear", weight_decay=0.0,
                             max_grad_norm=1.0, logging_steps=1, disable_tqdm=True, max_length=options.max_length)
    columns = ("prompt", "chosen", "rejected")
    data = [{key: record[key] for key in columns if key in record} for record in records_of(options.data)]
    trainer = RewardTrainer(model=model, args=arguments, processing_class=source.tokenizer(), peft_config=peft_config,
                            train_dataset=Dataset.from_list(data))
    trainer.remove_callback(PrinterCallback)
    start = time.time()
    trainer.train()
    seconds = time.time() - start
    for entry in trainer.state.log_history:
        if "loss" in entry:
            print(json.dumps({key: entry[key] for key in ("step", "loss", "grad_norm", "accuracy", "margin")}), flush=True)
    print(f"{options.steps * options.batch / seconds:.3f} pairs/s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB", flush=True)
    held_out = Dataset.from_list([{key: record[key] for key in columns if key in record} for record in records_of(options.eval_data, options.limit)])
    prepared = trainer._prepare_dataset(held_out, source.tokenizer(), arguments, "eval")
    trainer.model.eval()
    right = 0
    with torch.no_grad():
        for row in prepared:
            chosen, rejected = (trainer.model(input_ids=torch.tensor([row[key]])).logits.item() for key in ("chosen_ids", "rejected_ids"))
            right += chosen > rejected
    low, high = wilson(right, len(prepared))
    print(f"held-out accuracy {right / len(prepared):.3f} [{low:.3f}, {high:.3f}] on {len(prepared)} pairs")
    trainer.save_model(str(options.output))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=default_model())
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("score")
    command.set_defaults(run=score)
    command.add_argument("--adapter", type=Path, required=True)
    command.add_argument("--data", type=Path, required=True)
    command.add_argument("--against", type=Path)
    command.add_argument("--limit", type=int)
    command = commands.add_parser("trl")
    command.set_defaults(run=trl)
    command.add_argument("--data", type=Path, required=True)
    command.add_argument("--eval-data", type=Path, required=True)
    command.add_argument("--output", type=Path, required=True)
    command.add_argument("--init-adapter", type=Path)
    command.add_argument("--limit", type=int)
    for name, kind, value in (("steps", int, 60), ("batch", int, 4), ("lr", float, 1e-4), ("max-length", int, 512), ("threads", int, 2)):
        command.add_argument(f"--{name}", type=kind, default=value)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
