# SPDX-License-Identifier: Apache-2.0
"""Two adapters of the tiny Llama combined by PEFT's add_weighted_adapter.

    python tests/parity/make_combinations.py      rewrites tests/fixtures/combinations/expected.safetensors

Inputs: llama_tiny/adapters/{lora_all_linear,rslora_qv}, with the weights 0.7 and -0.4 (`negative`) or 0.7 and 0.4. For a
module that both have and one that only the first has: COMBINATION.MODULE.lora_A and lora_B, or, for svd, their product.
"""

import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

from fixture_files import FIXTURES, write_tensors

MODULES = {"q": "model.layers.0.self_attn.q_proj", "k": "model.layers.1.self_attn.k_proj"}
RUNS = {
    "linear": dict(combination_type="linear"),
    "linear_negative": dict(combination_type="linear"),
    "cat": dict(combination_type="cat"),
    "cat_negative": dict(combination_type="cat"),
    "svd": dict(combination_type="svd"),
    "svd_rank_2": dict(combination_type="svd", svd_rank=2),
    "ties": dict(combination_type="ties", density=0.5),
    "ties_frequency": dict(combination_type="ties", density=0.7, majority_sign_method="frequency"),
    "magnitude_prune": dict(combination_type="magnitude_prune", density=0.4),
}


def main() -> None:
    base = LlamaForCausalLM.from_pretrained(FIXTURES / "llama_tiny")
    folder = FIXTURES / "llama_tiny" / "adapters"
    model = PeftModel.from_pretrained(base, folder / "lora_all_linear", adapter_name="first")
    model.load_adapter(folder / "rslora_qv", adapter_name="second")
    tensors = {}
    for name, settings in RUNS.items():
        weights = [0.7, -0.4 if name.endswith("negative") else 0.4]
        model.add_weighted_adapter(["first", "second"], weights, name, **settings)
        for short, module in MODULES.items():
            layer = model.base_model.model.get_submodule(module)
            a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
            assert layer.scaling[name] == 1
            if name.startswith("svd"):
                tensors[f"{name}.{short}.product"] = b @ a
            else:
                tensors[f"{name}.{short}.lora_A"], tensors[f"{name}.{short}.lora_B"] = a, b
    write_tensors(FIXTURES / "combinations" / "expected.safetensors", tensors, __file__)


if __name__ == "__main__":
    main()
