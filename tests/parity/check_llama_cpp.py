# SPDX-License-Identifier: Apache-2.0
"""Does llama.cpp load a LoRA GGUF of `graft export-lora`, and move the log-probabilities as PEFT does?

    python tests/parity/real_smollm2.py make-adapter ADAPTER --random-b
    graft export-lora --model SMOLLM2.gguf --adapter ADAPTER --output LORA.gguf
    python tests/parity/check_llama_cpp.py BASE.gguf ADAPTER LORA.gguf        needs llama-cpp-python; BASE: SMOLLM2.gguf in any format

Compared are the changes that the adapter makes to the log-probabilities of all tokens, at every position. llama.cpp rounds the
activations to 8 bits where weights are quantised; `graft quantize --format f32` makes a base on which it computes in float32.
"""

import sys
from pathlib import Path

import llama_cpp
import numpy
import torch
from real_model import say
from smollm2_oracle import SmolLm2, default_model, with_adapter

TEXTS = ("What is the capital of France? The capital of France is Paris.", "def add(a, b):\n    return a + b\n\nprint(add(1, 2))",
         "<|im_start|>user\nHow many clips did she sell in April and May?<|im_end|>\n<|im_start|>assistant\nShe sold 48 + 24 = 72 clips.<|im_end|>\n",
         "日本語のテキスト 🙂 and 1234567 more words, to the end of the line.")


def by_llama_cpp(model: Path, sequences: list[list[int]], lora: Path | None) -> list[numpy.ndarray]:
    # The default cache is in float16.
    runner = llama_cpp.Llama(model_path=str(model), lora_path=str(lora) if lora else None, logits_all=True, n_ctx=256, n_batch=256, n_threads=1,
                             type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32, verbose=False)
    out = []
    for ids in sequences:
        runner.reset()
        runner.eval(ids)
        out.append(numpy.array(runner.scores[: len(ids)], dtype=numpy.float64))
    return out


def by_torch(model, sequences: list[list[int]]) -> list[numpy.ndarray]:
    with torch.no_grad():
        return [model(input_ids=torch.tensor([ids])).logits[0].double().numpy() for ids in sequences]


def log_probabilities(logits: list[numpy.ndarray]) -> numpy.ndarray:
    return torch.log_softmax(torch.from_numpy(numpy.concatenate(logits)), -1).numpy()


def distance(a: numpy.ndarray, b: numpy.ndarray) -> float:
    return float(numpy.linalg.norm(a - b) / numpy.linalg.norm(b))


def main(model: Path, adapter: Path, lora: Path) -> None:
    source = SmolLm2(default_model())
    tokenizer = source.tokenizer()
    sequences = [tokenizer(text)["input_ids"] for text in TEXTS]
    theirs = [log_probabilities(by_llama_cpp(model, sequences, file)) for file in (None, lora)]
    base = source.model()
    peft = [log_probabilities(by_torch(base, sequences)), log_probabilities(by_torch(with_adapter(base, adapter), sequences))]
    moved, expected = theirs[1] - theirs[0], peft[1] - peft[0]
    say(positions=len(moved), base=distance(theirs[0], peft[0]), adapted=distance(theirs[1], peft[1]), change=distance(moved, expected),
        correlation=float(numpy.corrcoef(moved.ravel(), expected.ravel())[0, 1]),
        slope=float((moved * expected).sum() / (expected * expected).sum()), root_mean_square_change=float(numpy.sqrt((expected**2).mean())),
        same_best_token=float((theirs[1].argmax(-1) == peft[1].argmax(-1)).mean()))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
