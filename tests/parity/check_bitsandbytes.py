# SPDX-License-Identifier: Apache-2.0
"""A live check against bitsandbytes and transformers; nothing is written under tests/fixtures/.

    python tests/parity/check_bitsandbytes.py GRAFT MODEL [FOLDER]     needs bitsandbytes besides requirements.txt

GRAFT is the program, MODEL a GGUF file or a Hugging Face directory. For nf4 and fp4, each with and without double quantisation,
and int8: `graft quantize` and transformers with bitsandbytes quantise the same dense weights on the CPU; the two checkpoints must
hold the same tensors, byte for byte, and the one that graft wrote must give transformers the same logits. Then 1,000 random
tensors of many shapes, block sizes and magnitudes go through tests/parity/quantize_tensors.cpp (compiled here) and
bitsandbytes: all bytes and all decoded floats must be the same.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from bitsandbytes import functional as bnb
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

torch.set_num_threads(1)  # torch.mean of many numbers depends on it
ROOT = Path(__file__).resolve().parent.parent.parent
FORMATS = {
    "nf4": (["--format", "nf4"], BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32)),
    "nf4_plain": (["--format", "nf4", "--no-double-quant"], BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)),
    "fp4": (["--format", "fp4"], BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="fp4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.float32)),
    "fp4_plain": (["--format", "fp4", "--no-double-quant"], BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="fp4", bnb_4bit_compute_dtype=torch.float32)),
    "int8": (["--format", "int8"], BitsAndBytesConfig(load_in_8bit=True)),
}


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.flatten().view(torch.uint8), b.flatten().view(torch.uint8))


def check_model(graft: str, model: str, folder: Path) -> None:
    dense = folder / "dense"
    subprocess.run([graft, "quantize", "--model", model, "--format", "f32", "--output", dense], check=True)
    ids = torch.arange(1, 33).unsqueeze(0)
    for name, (flags, config) in FORMATS.items():
        ours, theirs = folder / name, folder / f"{name}_transformers"
        subprocess.run([graft, "quantize", "--model", dense, *flags, "--rest", "f32", "--output", ours], check=True)
        quantized = AutoModelForCausalLM.from_pretrained(dense, quantization_config=config, dtype=torch.float32, device_map="cpu")
        quantized.save_pretrained(theirs)
        a, b = load_file(ours / "model.safetensors"), load_file(theirs / "model.safetensors")
        state = {key for key in a if "quant_state" in key}
        missing = (a.keys() ^ b.keys()) - {key for key in a if key.endswith("weight_format")}
        different = [key for key in a.keys() & b.keys() if key not in state and not same(a[key], b[key])]
        different += [key for key in state & b.keys() if json.loads(bytes(a[key])) != json.loads(bytes(b[key]))]
        loaded = AutoModelForCausalLM.from_pretrained(ours, dtype=torch.float32, device_map="cpu")
        with torch.no_grad():
            equal = torch.equal(loaded(ids).logits, quantized(ids).logits)
        print(f"{name}: {len(a)} tensors, {len(missing)} in one of both, {len(different)} differ, logits {'equal' if equal else 'DIFFER'}")
        assert not missing and not different and equal, (sorted(missing)[:5], different[:5])


def check_tensors(folder: Path, count: int = 1000) -> None:
    program, given, made = folder / "quantize_tensors", folder / "given.safetensors", folder / "made.safetensors"
    subprocess.run(["g++", "-std=c++20", "-O2", f"-I{ROOT / 'include'}", ROOT / "tests/parity/quantize_tensors.cpp", "-o", program], check=True)
    generator = torch.Generator().manual_seed(7)
    draw = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    tensors, settings = {}, []
    for i in range(count):
        rows, cols = draw(1, 60), 2 * draw(1, 200)
        x = torch.randn(rows, cols, generator=generator) * 10.0 ** draw(-6, 4)
        if i % 7 == 0:
            x = x.bfloat16().float()
        if i % 11 == 0:
            x[draw(0, rows)] = 0
        format, block, nested = ("nf4", "fp4", "int8")[i % 3], 2 ** draw(5, 13), draw(0, 2)
        if format == "int8":
            x = x.clamp(-6e4, 6e4)
        settings.append((format, block, nested))
        tensors[f"{i:04}.{format}.{block}.{nested}"] = x
    save_file(tensors, given)
    subprocess.run([program, given, made], check=True)
    ours = load_file(made)
    bad = 0
    for (name, x), (format, block, nested) in zip(tensors.items(), settings):
        if format == "int8":
            q, scale, _ = bnb.int8_vectorwise_quant(x)
            zero = scale == 0
            q[zero] = 0
            parts = {"": q, ".absmax": scale}
            decoded = bnb.int8_vectorwise_dequant(q, scale)
        else:
            q, state = bnb.quantize_4bit(x, blocksize=block, compress_statistics=bool(nested), quant_type=format)
            parts = {"": q, ".absmax": state.absmax}
            if nested:
                parts |= {".nested_absmax": state.state2.absmax, ".offset": state.offset.reshape(1)}
            decoded = bnb.dequantize_4bit(q, state)
            # For rows that are no whole blocks bitsandbytes' vector code takes wrong scales: decode by its plain code.
            if cols_are_broken(x, block):
                decoded = plain_decode(q, state, x.shape)
        parts[".decoded"] = decoded
        wrong = [part for part, value in parts.items() if not same_numbers(ours[name + part], value)]
        bad += bool(wrong)
        if wrong:
            print(name, tuple(x.shape), wrong)
    print(f"{count} random tensors: {bad} differ")
    assert bad == 0


def cols_are_broken(x: torch.Tensor, block: int) -> bool:
    return x.shape[1] % block != 0


def plain_decode(q, state, shape):
    from bitsandbytes.backends.default.ops import _dequantize_4bit_compute

    absmax = state.absmax if state.state2 is None else bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset
    n = shape.numel()
    return _dequantize_4bit_compute.__wrapped__(q.reshape(-1), absmax, state.code, state.blocksize, (n,), torch.float32).reshape(shape)


def same_numbers(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal bits; the two zeros of FP4 count as one."""
    return a.numel() == b.numel() and torch.equal(a.flatten(), b.flatten().to(a.dtype))


def main() -> None:
    graft, model = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        check_tensors(folder)
        check_model(graft, model, folder)


if __name__ == "__main__":
    main()
