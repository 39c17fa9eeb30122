# SPDX-License-Identifier: Apache-2.0
"""What the live checks share: the model that the command line names, its tokenizer, lines of JSON."""

import argparse
import json
from pathlib import Path

import fixture_files  # noqa: F401  (sets one thread and keeps the hub out)
import torch
from smollm2_oracle import SmolLm2, default_model, with_adapter
from transformers import AutoModelForCausalLM, AutoTokenizer

DTYPES = {"f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16}


def say(**line) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a.double() - b.double()).norm() / b.double().norm().clamp(min=1e-300)).item()


def tokenizer_of(options):
    return AutoTokenizer.from_pretrained(options.hf) if options.hf else SmolLm2(options.model).tokenizer()


def base_model(options):
    """The weights are dequantised in float32 whatever the arithmetic is."""
    if options.hf:
        return AutoModelForCausalLM.from_pretrained(options.hf, dtype=DTYPES[options.dtype]).eval()
    return SmolLm2(options.model).model(DTYPES[options.dtype])


def loaded(options, trainable: bool = False):
    """Model, with the adapter that the options name, and tokenizer."""
    adapter = getattr(options, "adapter", None) or getattr(options, "init_adapter", None)
    model = base_model(options)
    return (with_adapter(model, adapter, trainable) if adapter else model), tokenizer_of(options)


def parser_of(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=default_model(), help="the GGUF file of SmolLM2-135M-Instruct")
    parser.add_argument("--hf", help="an HF directory in place of the GGUF file")
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def run(parser: argparse.ArgumentParser) -> None:
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.run(options)
