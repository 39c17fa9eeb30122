# SPDX-License-Identifier: Apache-2.0
"""Tensors and a tiny model quantised by bitsandbytes on the CPU.

    python tests/parity/make_bitsandbytes.py     rewrites tests/fixtures/bitsandbytes/   (bitsandbytes 0.50.2 beside requirements.txt)

tensors.safetensors: NAME.values (what was given), NAME.weight and its parts as `QuantState.as_dict(packed=True)` gives them,
NAME.decoded; int8: NAME.weight, NAME.SCB. maps.safetensors: the two dynamic maps and torch.mean of numbers[:n] for many n.
{nf4,int8}/: a Llama of two layers that transformers saved with load_in_4bit and load_in_8bit, and decoded.safetensors.
optimizers.safetensors: the steps of bitsandbytes' 8-bit AdamW and Lion.
"""

import shutil

import bitsandbytes
import torch
import fixture_files
from bitsandbytes import functional as bnb
from fixture_files import FIXTURES, write_tensors
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

OUT = FIXTURES / "bitsandbytes"
SCRIPT = __file__
fixture_files.LIBRARIES += ("bitsandbytes",)


def values(rows: int, cols: int, block: int) -> torch.Tensor:
    """Normal values of mixed magnitude, a block of zeros, a tiny one, and values halfway between two levels."""
    x = torch.randn(rows, cols) * torch.logspace(-3, 1, rows).unsqueeze(1)
    flat = x.view(-1)
    flat[block : 2 * block] = 0
    flat[2 * block : 3 * block] = 1e-39
    levels = bnb.get_4bit_type("nf4", device="cpu")
    flat[3 * block : 3 * block + 15] = (levels[1:] + levels[:-1]) / 2
    flat[3 * block + 15] = 1
    return x


def decode(q: torch.Tensor, state: bnb.QuantState) -> torch.Tensor:
    """By the definition: where rows are no whole blocks, bitsandbytes' AVX-512 code takes the scales of other blocks."""
    absmax = bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset if state.nested else state.absmax
    codes = torch.stack([q.view(-1) >> 4, q.view(-1) & 15], 1).view(-1).long()
    size = state.shape.numel()
    decoded = (state.code[codes][:size] * absmax.repeat_interleave(state.blocksize)[:size]).view(state.shape)
    assert state.shape[1] % state.blocksize or torch.equal(decoded, bnb.dequantize_4bit(q, state))
    return decoded


def make_tensors() -> None:
    tensors = {}
    cases = {"nf4": ("nf4", 64, True, (17, 96)), "nf4_plain": ("nf4", 32, False, (6, 50)), "fp4": ("fp4", 64, True, (6, 70)),
             "many_blocks": ("nf4", 32, True, (80, 128))}
    for name, (kind, block, nested, shape) in cases.items():
        x = values(*shape, block).bfloat16() if name == "many_blocks" else values(*shape, block)
        q, state = bnb.quantize_4bit(x.float(), blocksize=block, compress_statistics=nested, quant_type=kind)
        decoded = decode(q, state)
        tensors |= {f"{name}.values": x, f"{name}.weight": q, f"{name}.decoded": decoded}
        tensors |= {f"{name}.weight.{key}": part for key, part in state.as_dict(packed=True).items()}
    x = torch.randn(5, 33).half()
    q, scale, _ = bnb.int8_vectorwise_quant(x)
    tensors |= {"int8.values": x, "int8.weight": q, "int8.SCB": scale, "int8.decoded": bnb.int8_vectorwise_dequant(q, scale)}
    write_tensors(OUT / "tensors.safetensors", tensors, SCRIPT)


def make_maps() -> None:
    numbers = torch.rand(3000) * 3 + 0.5
    counts = torch.tensor([1, 2, 5, 6, 7, 8, 9, 31, 32, 33, 100, 576, 1000, 1024, 2999, 3000])
    means = torch.stack([numbers[:n].mean() for n in counts])
    write_tensors(OUT / "maps.safetensors", {"signed": bnb.create_dynamic_map(), "unsigned": bnb.create_dynamic_map(signed=False),
                                             "numbers": numbers, "counts": counts, "means": means}, SCRIPT)


def make_models() -> None:
    config = LlamaConfig(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True)
    dense = OUT / "dense"
    LlamaForCausalLM(config).save_pretrained(dense)
    settings = {"nf4": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                          bnb_4bit_compute_dtype=torch.float32),
                "int8": BitsAndBytesConfig(load_in_8bit=True)}
    for name, quantization in settings.items():
        shutil.rmtree(OUT / name, ignore_errors=True)
        model = AutoModelForCausalLM.from_pretrained(dense, quantization_config=quantization, dtype=torch.float32, device_map="cpu")
        model.save_pretrained(OUT / name)
        (OUT / name / "generation_config.json").unlink(missing_ok=True)
        decoded = {}
        for module_name, module in model.named_modules():
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                decoded[f"{module_name}.weight"] = decode(module.weight.data, module.weight.quant_state)
            elif isinstance(module, bitsandbytes.nn.Linear8bitLt):
                decoded[f"{module_name}.weight"] = bnb.int8_vectorwise_dequant(module.weight.CB, module.weight.SCB)
        write_tensors(OUT / name / "decoded.safetensors", decoded, SCRIPT)
    shutil.rmtree(dense)


def make_optimizers() -> None:
    """Parameter, gradients, and after each of six steps the parameter and the state; 600 numbers are three blocks."""
    tensors = {}
    start = torch.randn(600)
    gradients = torch.randn(6, 600) * torch.logspace(-4, 0, 6).unsqueeze(1)
    gradients[3] = 0
    gradients[:, :10] = 0
    tensors |= {"start": start, "gradients": gradients}
    makers = {"adamw8bit": lambda p: bitsandbytes.optim.AdamW8bit(p, lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1, min_8bit_size=1),
              "lion8bit": lambda p: bitsandbytes.optim.Lion8bit(p, lr=1e-2, betas=(0.9, 0.99), weight_decay=0.1, min_8bit_size=1)}
    for name, make in makers.items():
        parameter = torch.nn.Parameter(start.clone())
        optimizer = make([parameter])
        for step, gradient in enumerate(gradients):
            parameter.grad = gradient.clone()
            optimizer.step()
            state = optimizer.state[parameter]
            tensors[f"{name}.{step}.parameter"] = parameter.detach().clone()
            for key in ("state1", "state2", "absmax1", "absmax2"):
                if isinstance(state.get(key), torch.Tensor):
                    tensors[f"{name}.{step}.{key}"] = state[key].clone()
    write_tensors(OUT / "optimizers.safetensors", tensors, SCRIPT)


if __name__ == "__main__":
    torch.manual_seed(4)
    make_tensors()
    make_maps()
    make_models()
    make_optimizers()
