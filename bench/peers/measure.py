# SPDX-License-Identifier: Apache-2.0
"""What every peer shares: its arguments, the model, the adapter, and the one JSON line that it prints."""

import argparse
import importlib.metadata
import json
import resource
import time
from pathlib import Path


def arguments(*names: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True, help="Hugging Face directory")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--warmup", type=int, required=True)
    parser.add_argument("--batch", type=int, default=4)
    for name in names:
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_args()


def lora_config(**more):
    from peft import LoraConfig

    return LoraConfig(**{**dict(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"), **more})


def trainer_options(output: str) -> dict:
    """What all of TRL's trainers are told."""
    return dict(output_dir=output, learning_rate=2e-4, lr_scheduler_type="constant", weight_decay=0.0, bf16=False, use_cpu=True,
                gradient_checkpointing=False, save_strategy="no", logging_steps=1, report_to=[], disable_tqdm=True)


def load(directory: Path, dtype):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype)
    model.config.use_cache = False
    return model


def load_classifier(directory: Path, dtype):
    """The same with one score for a head, drawn at random."""
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(directory, num_labels=1, dtype=dtype)


class Steps:
    """Seconds and counts of the steps after the warm-up."""

    def __init__(self, warmup: int):
        self.warmup, self.seconds, self.tokens, self.records = warmup, [], 0, 0
        self.seen = 0

    def begin(self):
        self.start = time.perf_counter()

    def end(self, tokens: int, records: int):
        elapsed = time.perf_counter() - self.start
        self.seen += 1
        if self.seen > self.warmup:
            self.seconds.append(elapsed)
            self.tokens += tokens
            self.records += records


def print_result(steps: Steps, threads: int, loss: float, packages: list[str]):
    assert steps.seconds, "no step after the warm-up"
    total = sum(steps.seconds)
    print(json.dumps({
        "tokens_per_second": steps.tokens / total,
        "records_per_second": steps.records / total,
        "step_seconds": steps.seconds,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "loss": loss,
        "threads": threads,
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }), flush=True)
