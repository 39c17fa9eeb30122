# SPDX-License-Identifier: Apache-2.0
"""Adapters that start from the weight they sit on, as PEFT initialises them.

    python tests/parity/make_low_rank_start.py      rewrites tests/fixtures/low_rank_start/expected.safetensors

w (48, 40), rank 4, alpha 8. For pissa and olora: NAME.base, the weight PEFT leaves, and NAME.update, scaling·B·A. Signs of
singular vectors are free, so B and A themselves are not compared. For loftq (PEFT's own needs a GPU): the two factors' product after
1 and after 3 turns of PEFT's loop, with rounding to multiples of 1/8 in the place of its quantisation.
"""

import torch
from peft import LoraConfig, get_peft_model
from peft.utils.loftq_utils import _low_rank_decomposition

from fixture_files import FIXTURES, write_tensors

RANK, ALPHA = 4, 8


class OneLinear(torch.nn.Module):
    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        self.linear.weight.data = weight.clone()

    def forward(self, x):
        return self.linear(x)


def loftq(weight: torch.Tensor, turns: int) -> torch.Tensor:
    rest = weight.clone()
    for turn in range(turns):
        parts = _low_rank_decomposition(weight - torch.round(rest * 8) / 8, reduced_rank=RANK)
        rest = weight - parts["L"] @ parts["R"]
    return parts["L"] @ parts["R"]


def main() -> None:
    torch.manual_seed(11)
    weight = torch.randn(48, 40) * torch.rand(48, 1)
    tensors = {"w": weight}
    for name in ("pissa", "olora"):
        config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["linear"], init_lora_weights=name)
        layer = get_peft_model(OneLinear(weight), config).base_model.model.linear
        a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        tensors[f"{name}.base"] = layer.base_layer.weight.detach()
        tensors[f"{name}.update"] = (layer.scaling["default"] * b @ a).detach()
    for turns in (1, 3):
        tensors[f"loftq.{turns}"] = loftq(weight, turns)
    write_tensors(FIXTURES / "low_rank_start" / "expected.safetensors", tensors, __file__)


if __name__ == "__main__":
    main()
