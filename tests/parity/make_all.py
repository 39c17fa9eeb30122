# SPDX-License-Identifier: Apache-2.0
"""Rewrites all parity fixtures, or says whether the committed ones are current.

    python tests/parity/make_all.py            rewrites all folders of tests/fixtures
    python tests/parity/make_all.py --check    makes them in a temporary folder and compares: files, names, shapes,
                                               integers and text exactly, float numbers to 1e-9 relative (float32
                                               tensors: 5e-6, which is what a singular value decomposition in float32
                                               differs by from one processor to another)
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# In this order: rotary scalings, combinations and variants of LoRA use files of the first, preferences those of make_sft_data.
SCRIPTS = ("make_llama.py", "make_sft_data.py", "make_families.py", "make_rope_scaling.py", "make_optimizers.py", "make_losses.py",
           "make_preference_losses.py", "make_preference_data.py", "make_online_dpo.py", "make_policy.py", "make_ppo.py", "make_combinations.py",
           "make_lora_variants.py", "make_low_rank_start.py", "make_sampling.py", "make_reward.py", "make_bitsandbytes.py",
           "tokenizer_corpus.py fixtures", "chat_goldens.py", "gguf_blocks.py")
FOLDERS = ("llama_tiny", "llama_tiny_untied", "llama_tiny_bias", "qwen2_tiny", "qwen3_tiny", "mistral_tiny", "gemma3_tiny",
           "gpt2_tiny", "smollm3_tiny", "llama_rope", "combinations", "lora_variants", "low_rank_start", "optim", "loss", "sampling", "sft",
           "reward", "preference", "bitsandbytes", "text", "quant")


def make(fixtures: Path) -> None:
    for script in SCRIPTS:
        name, *arguments = script.split()
        subprocess.run([sys.executable, "-W", "ignore", str(HERE / name), *arguments], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "GRAFT_FIXTURES": str(fixtures)})


def json_differences(a, b, at: str):
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        for key in a:
            yield from json_differences(a[key], b[key], f"{at}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from json_differences(x, y, f"{at}[{i}]")
    elif isinstance(a, float) and isinstance(b, float):
        if not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{at}: {a!r} and {b!r}"
    elif a != b:
        yield f"{at}: {str(a)[:80]!r} and {str(b)[:80]!r}"


def tensor_differences(a: Path, b: Path):
    from safetensors.torch import load_file

    first, second = load_file(a), load_file(b)
    if first.keys() != second.keys():
        yield f"{a.name}: names differ: {sorted(first.keys() ^ second.keys())}"
        return
    for name, x in first.items():
        y = second[name]
        if x.shape != y.shape or x.dtype != y.dtype:
            yield f"{a.name}: {name}: {x.dtype} {tuple(x.shape)} and {y.dtype} {tuple(y.shape)}"
        elif not x.is_floating_point():
            if not x.equal(y):
                yield f"{a.name}: {name} differs"
        else:
            error = ((x - y).norm() / y.norm().clamp(min=1e-12)).item()
            if error > (1e-9 if x.element_size() == 8 else 5e-6):
                yield f"{a.name}: {name}: relative distance {error:.1e}"


def differences(committed: Path, fresh: Path):
    for folder in FOLDERS:
        left, right = ({p.relative_to(root / folder) for p in (root / folder).rglob("*") if p.is_file()}
                       for root in (committed, fresh))
        yield from (f"{folder}/{path}: only in one of both" for path in sorted(left ^ right))
        for path in sorted(left & right):
            a, b = committed / folder / path, fresh / folder / path
            if path.suffix == ".safetensors":
                found = tensor_differences(a, b)
            elif path.suffix == ".json":
                found = json_differences(json.loads(a.read_text()), json.loads(b.read_text()), path.name)
            else:
                found = [] if a.read_bytes() == b.read_bytes() else [f"{path.name} differs"]
            yield from (f"{folder}/{path.parent}: {line}" for line in found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    committed = HERE.parent / "fixtures"
    if not parser.parse_args().check:
        make(committed)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        found = list(differences(committed, Path(folder)))
    print("\n".join(found[:40]) if found else "the parity fixtures are current")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
