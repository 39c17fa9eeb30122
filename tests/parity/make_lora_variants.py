# SPDX-License-Identifier: Apache-2.0
"""A PEFT LoRA with given dropout masks, and two LoRA adapters active at once, on the tiny Llama of make_llama.py, in float64.

    python tests/parity/make_lora_variants.py      rewrites tests/fixtures/lora_variants

The masks are those that graft draws: element i of the input of module m in training pass t is kept where word i of Philox 4x32-10 with
the seed as its key and t·2²⁰ + m as its stream is at least p·2³². `expected.safetensors`: `dropout.loss` and `dropout.grad.KEY` of the
first pass over the forward batch; `active.loss`, `active.target_logprobs` with both adapters.
"""

import json

import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

import tiny_llama
from fixture_files import FIXTURES, write_json, write_tensors
from float64 import float64
from make_llama import saved_names

MODULES = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
SETTINGS = {"p": 0.4, "seed": 3, "pass": 1}
LOW = 0xFFFFFFFF


def philox(key: int, stream: int, block: int) -> list[int]:
    """Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011."""
    c = [block & LOW, block >> 32, stream & LOW, stream >> 32]
    k = [key & LOW, key >> 32]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & LOW, (p0 >> 32) ^ c[3] ^ k[1], p0 & LOW]
        k = [(k[0] + 0x9E3779B9) & LOW, (k[1] + 0xBB67AE85) & LOW]
    return c


class GivenMask(torch.nn.Module):
    """Takes the next rows of its mask with every call, as sequences of a pack follow each other."""

    def __init__(self, rows: int, width: int, number: int):
        super().__init__()
        stream = SETTINGS["pass"] << 20 | number
        words = [word for block in range((rows * width + 3) // 4) for word in philox(SETTINGS["seed"], stream, block)]
        kept = torch.tensor(words[: rows * width]).reshape(rows, width) >= SETTINGS["p"] * 2**32
        self.mask, self.row = kept.double() / (1 - SETTINGS["p"]), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        begin, self.row = self.row, self.row + x.shape[1]
        return x * self.mask[begin : self.row]


def main() -> None:
    base_folder = FIXTURES / "llama_tiny"
    sequences = json.loads((base_folder / "sequences.json").read_text())
    batch = [sequences["sequences"][i] for i in sequences["forward_batch"]]
    rows = sum(len(sequence["input_ids"]) for sequence in batch)
    tensors = {}
    with float64():
        base = tiny_llama.in_float64(LlamaForCausalLM.from_pretrained(base_folder))
        model = PeftModel.from_pretrained(base, base_folder / "adapters" / "lora_all_linear", is_trainable=True).double()
        for i in range(base.config.num_hidden_layers):
            for j, name in enumerate(MODULES):
                layer = model.base_model.model.get_submodule(f"model.layers.{i}.{name}")
                layer.lora_dropout["default"] = GivenMask(rows, layer.in_features, i * len(MODULES) + j)
        loss, _ = tiny_llama.loss_of(model, batch)
        loss.backward()
        tensors["dropout.loss"] = loss
        tensors |= {f"dropout.grad.{name}": parameter.grad for name, parameter in saved_names(model).items()}

        base = tiny_llama.in_float64(LlamaForCausalLM.from_pretrained(base_folder))
        model = PeftModel.from_pretrained(base, base_folder / "adapters" / "lora_all_linear", adapter_name="first")
        model.load_adapter(base_folder / "adapters" / "rslora_qv", adapter_name="second")
        model.double().base_model.set_adapter(["first", "second"])
        expected = tiny_llama.forward_tensors(model, batch)
        tensors |= {f"active.{name}": expected[name] for name in ("loss", "target_logprobs")}
    write_tensors(FIXTURES / "lora_variants" / "expected.safetensors", tensors, __file__)
    write_json(FIXTURES / "lora_variants" / "dropout.json", SETTINGS, __file__)


if __name__ == "__main__":
    main()
