# SPDX-License-Identifier: Apache-2.0
"""Makes what the peers read: the model as a Hugging Face directory in float, dense ids and the same as text, records, pairs."""

import gzip
import itertools
import json
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("river stone market winter garden bridge letter window carpenter engine harvest mountain copper signal teacher "
         "island paper morning thunder village lantern captain orchard library velvet compass meadow number").split()


def model_directory(gguf: Path, directory: Path):
    """Every run reads the same weights: those of the GGUF file, dequantised."""
    if (directory / "config.json").exists():
        return
    sys.path.insert(0, str(ROOT / "tests" / "parity"))
    from smollm2_oracle import SmolLm2

    oracle = SmolLm2(gguf)
    oracle.tokenizer().save_pretrained(directory)
    oracle.model().save_pretrained(directory)


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS) for _ in range(words)).capitalize() + "."


def dense(directory: Path, out: Path, rows: int, length: int):
    """Rows of exactly `length` ids; the text gives graft, cut at `length`, the same ids."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    rng = random.Random(7)
    ids = []
    with open(out / "dense.jsonl", "w") as file:
        for _ in range(rows):
            text = " ".join(sentence(rng, 12) for _ in range(80))
            ids.append(tokenizer(text)["input_ids"][:length])
            assert len(ids[-1]) == length
            file.write(json.dumps({"text": text}) + "\n")
    (out / "dense.json").write_text(json.dumps(ids))
    with open(out / "prompts.jsonl", "w") as file:
        for row in ids[:17]:
            file.write(json.dumps({"prompt": tokenizer.decode(row)}) + "\n")


def records(out: Path, count: int):
    """Questions and answers of about the length of GSM8K's, for machines that have no GSM8K."""
    rng = random.Random(8)
    with open(out / "records.jsonl", "w") as file:
        for _ in range(count):
            question, answer = (sentence(rng, rng.randint(*span)) for span in ((20, 90), (30, 150)))
            file.write(json.dumps({"prompt": [{"role": "user", "content": question}],
                                   "completion": [{"role": "assistant", "content": answer}]}) + "\n")


def pairs(out: Path, count: int):
    rng = random.Random(9)
    with open(out / "pairs.jsonl", "w") as file:
        for _ in range(count):
            turn = lambda role, low, high: [{"role": role, "content": sentence(rng, rng.randint(low, high))}]
            file.write(json.dumps({"prompt": turn("user", 20, 180), "chosen": turn("assistant", 10, 120),
                                   "rejected": turn("assistant", 10, 120)}) + "\n")


def prompts_with_answers(records: Path, out: Path, count: int):
    """Prompts for rollouts, from records of prompts and completions."""
    with (gzip.open if records.suffix == ".gz" else open)(records, "rt") as source, open(out / "policy.jsonl", "w") as file:
        for line in itertools.islice(source, count):
            record = json.loads(line)
            file.write(json.dumps({"prompt": record["prompt"], "answer": record["completion"][-1]["content"]}) + "\n")
