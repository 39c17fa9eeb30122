# SPDX-License-Identifier: Apache-2.0
"""Compares a LoRA GGUF that graft wrote with the PEFT adapter it was made of: what llama.cpp adds to each weight of its base.

    python tests/parity/check_lora_gguf.py --base BASE.gguf --adapter DIR --gguf ADAPTER.gguf

Reads with the gguf package, names tensors with its name map, reorders the rows of q and k as llama.cpp's converter does for
Llama, and applies llama.cpp's scale, alpha / rank.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy
from safetensors.numpy import load_file


def permuted(weight: numpy.ndarray, heads: int) -> numpy.ndarray:
    """(head, 2, size/2) to (head, size/2, 2)."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--base", "--adapter", "--gguf"):
        parser.add_argument(name, type=Path, required=True)
    options = parser.parse_args()
    base, file = gguf.GGUFReader(options.base), gguf.GGUFReader(options.gguf)

    def field(reader, key):
        return reader.fields[key].contents()

    architecture = field(file, "general.architecture")
    assert architecture == field(base, "general.architecture")
    assert field(file, "general.type") == "adapter" and field(file, "adapter.type") == "lora"
    alpha = field(file, "adapter.lora.alpha")
    shapes = {tensor.name: list(tensor.shape) for tensor in base.tensors}
    tensors = {tensor.name: tensor for tensor in file.tensors}
    names = gguf.get_tensor_name_map(next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == architecture),
                                     field(base, f"{architecture}.block_count"))
    heads = {"q_proj": field(base, f"{architecture}.attention.head_count"), "k_proj": field(base, f"{architecture}.attention.head_count_kv")}
    config = json.loads((options.adapter / "adapter_config.json").read_text())
    scaling = config["lora_alpha"] / (config["r"] ** 0.5 if config["use_rslora"] else config["r"])
    peft = load_file(options.adapter / "adapter_model.safetensors")
    worst, used = 0.0, set()
    for key in peft:
        if not key.endswith(".lora_A.weight"):
            continue
        module = key.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
        name = names.get_name(module) + ".weight"
        a, b = tensors[name + ".lora_a"], tensors[name + ".lora_b"]
        used |= {a.name, b.name}
        # ne is the reverse of the shape: llama.cpp asks a.ne[0] == w.ne[0], b.ne[1] == w.ne[1] and a.ne[1] == b.ne[0].
        assert [a.shape[0], b.shape[1]] == shapes[name] and a.shape[1] == b.shape[0], name
        theirs = alpha / a.shape[1] * (b.data @ a.data)
        ours = scaling * (peft[key.replace("lora_A", "lora_B")] @ peft[key])
        last = module.rsplit(".", 1)[-1]
        if architecture == "llama" and last in heads:
            ours = permuted(ours, heads[last])
        worst = max(worst, float(numpy.linalg.norm(theirs - ours) / numpy.linalg.norm(ours)))
    assert used == set(tensors), sorted(set(tensors) - used)
    print(f"{len(used)} tensors; the update of a weight deviates by {worst:.1e} relative at most")


if __name__ == "__main__":
    main()
