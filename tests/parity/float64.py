# SPDX-License-Identifier: Apache-2.0
"""Lets transformers' modules compute in float64 from end to end.

RMSNorm, the rotary tables, the softmax of eager attention and LabelSmoother all step down to float32 on purpose, even
in a model of doubles. Inside `float64()` their modules see a torch whose float32 is float64.
"""

import contextlib
import types

import torch
from transformers import modeling_rope_utils, trainer_pt_utils
from transformers.models.llama import modeling_llama


class _Float64Torch(types.ModuleType):
    def __getattr__(self, name):
        return torch.float64 if name in ("float", "float32") else getattr(torch, name)


@contextlib.contextmanager
def float64(*more_modules):
    """Builds and runs models in float64: everything that transformers would do in float32 is done in float64."""
    modules = (modeling_llama, modeling_rope_utils, trainer_pt_utils, *more_modules)
    proxy = _Float64Torch("torch")
    before = [module.torch for module in modules]
    to_float = torch.Tensor.float
    default_dtype = torch.get_default_dtype()
    try:
        for module in modules:
            module.torch = proxy
        torch.Tensor.float = torch.Tensor.double
        torch.set_default_dtype(torch.float64)
        yield
    finally:
        for module, original in zip(modules, before, strict=True):
            module.torch = original
        torch.Tensor.float = to_float
        torch.set_default_dtype(default_dtype)
