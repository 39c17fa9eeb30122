# SPDX-License-Identifier: Apache-2.0
"""Ten steps of each optimizer on fixed gradients, and every learning-rate schedule step by step, in float64.

    python tests/parity/make_optimizers.py      rewrites tests/fixtures/optim/optimizers.json and schedules.json

AdamW and SGD are torch's, Adafactor is transformers', Lion is the formula of its paper (arXiv 2302.06675, algorithm 2).
Step 4 has a zero gradient, step 6 one of 1e4, and the first entry of the vector never has a gradient.
"""

import math

import torch
from transformers import Adafactor, get_scheduler

from fixture_files import FIXTURES, write_json

STEPS = 10
SHAPES = {"matrix": (3, 4), "vector": (5,)}


class Lion(torch.optim.Optimizer):
    """p <- p (1 - lr wd) - lr sign(b1 m + (1 - b1) g);  m <- b2 m + (1 - b2) g."""

    def __init__(self, parameters, lr, betas, weight_decay):
        super().__init__(parameters, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                update = (beta1 * momentum + (1 - beta1) * p.grad).sign()
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * update)
                momentum.mul_(beta2).add_((1 - beta2) * p.grad)


RUNS = {
    "adamw": (torch.optim.AdamW, dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)),
    "adamw_decay": (torch.optim.AdamW, dict(lr=3e-2, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    "sgd": (torch.optim.SGD, dict(lr=1e-1)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=1e-1, momentum=0.9)),
    "sgd_momentum_dampening": (torch.optim.SGD, dict(lr=1e-1, momentum=0.9, dampening=0.3, weight_decay=0.05)),
    "sgd_nesterov": (torch.optim.SGD, dict(lr=1e-1, momentum=0.9, nesterov=True)),
    "sgd_nesterov_decay": (torch.optim.SGD, dict(lr=1e-1, momentum=0.8, nesterov=True, weight_decay=0.1)),
    "lion": (Lion, dict(lr=1e-2, betas=(0.9, 0.99), weight_decay=0.0)),
    "lion_decay": (Lion, dict(lr=1e-2, betas=(0.95, 0.98), weight_decay=0.5)),
    "adafactor": (Adafactor, dict(lr=1e-2, eps=(1e-30, 1e-3), clip_threshold=1.0, decay_rate=-0.8, beta1=None,
                                  weight_decay=0.0, scale_parameter=False, relative_step=False, warmup_init=False)),
    "adafactor_scale_parameter": (Adafactor, dict(lr=1e-2, eps=(1e-30, 1e-3), clip_threshold=1.0, decay_rate=-0.8,
                                                  beta1=0.9, weight_decay=0.1, scale_parameter=True,
                                                  relative_step=False, warmup_init=False)),
    "adafactor_relative_step": (Adafactor, dict(lr=None, eps=(1e-30, 1e-3), clip_threshold=1.0, decay_rate=-0.8,
                                                beta1=None, weight_decay=0.0, scale_parameter=True,
                                                relative_step=True, warmup_init=True)),
}


def flat(tensors: dict) -> dict:
    return {name: tensor.detach().flatten().tolist() for name, tensor in tensors.items()}


def optimizers() -> dict:
    generator = torch.Generator().manual_seed(500)

    def draw(shape):
        return (1000 * torch.randn(shape, generator=generator, dtype=torch.float64)).round() / 1000

    initial = {name: draw(shape) for name, shape in SHAPES.items()}
    gradients = [{name: draw(shape) for name, shape in SHAPES.items()} for _ in range(STEPS)]
    for gradient in gradients:
        gradient["vector"][0] = 0.0
    for name in SHAPES:
        gradients[3][name] = torch.zeros_like(gradients[3][name])
        gradients[5][name] *= 1e4
    runs = []
    for name, (optimizer_type, settings) in RUNS.items():
        parameters = {key: torch.nn.Parameter(value.clone()) for key, value in initial.items()}
        optimizer = optimizer_type(parameters.values(), **settings)
        course = []
        for gradient in gradients:
            for key, parameter in parameters.items():
                parameter.grad = gradient[key].clone()
            optimizer.step()
            course.append(flat(parameters))
        runs.append({"name": name, "settings": settings, "after_step": course})
    return {"shapes": SHAPES, "initial": flat(initial), "gradients": [flat(g) for g in gradients], "runs": runs}


SCHEDULES = {
    "constant": ("constant", dict()),
    "constant_with_warmup": ("constant_with_warmup", dict(num_warmup_steps=4)),
    "linear": ("linear", dict(num_warmup_steps=4, num_training_steps=20)),
    "linear_without_warmup": ("linear", dict(num_warmup_steps=0, num_training_steps=20)),
    "cosine": ("cosine", dict(num_warmup_steps=4, num_training_steps=20)),
    "cosine_without_warmup": ("cosine", dict(num_warmup_steps=0, num_training_steps=20)),
    "cosine_three_halves": ("cosine", dict(num_warmup_steps=4, num_training_steps=20, num_cycles=1.5)),
    "cosine_with_restarts": ("cosine_with_restarts", dict(num_warmup_steps=4, num_training_steps=20, num_cycles=3)),
    "polynomial": ("polynomial", dict(num_warmup_steps=4, num_training_steps=20, lr_end=1e-5, power=2.0)),
    "cosine_with_min_lr_rate": ("cosine_with_min_lr", dict(num_warmup_steps=4, num_training_steps=20, min_lr_rate=0.1)),
    "cosine_with_min_lr": ("cosine_with_min_lr", dict(num_warmup_steps=4, num_training_steps=20, min_lr=4e-5)),
    "inverse_sqrt": ("inverse_sqrt", dict(num_warmup_steps=4)),
    "inverse_sqrt_timescale": ("inverse_sqrt", dict(num_warmup_steps=4, timescale=10)),
    "inverse_sqrt_without_warmup": ("inverse_sqrt", dict(num_warmup_steps=0)),
    "wsd": ("warmup_stable_decay", dict(num_warmup_steps=4, num_training_steps=20, num_decay_steps=6)),
    "wsd_linear": ("warmup_stable_decay", dict(num_warmup_steps=4, num_training_steps=20, num_decay_steps=6,
                                               decay_type="linear", min_lr_ratio=0.1)),
    "wsd_one_minus_sqrt": ("warmup_stable_decay", dict(num_warmup_steps=4, num_training_steps=20, num_decay_steps=6,
                                                       warmup_type="cosine", decay_type="1-sqrt", min_lr_ratio=0.05)),
    "wsd_stable_steps": ("warmup_stable_decay", dict(num_warmup_steps=4, num_stable_steps=7, num_decay_steps=6)),
}
PEAK = 2e-4
NAMED = ("num_warmup_steps", "num_training_steps")


def schedules() -> dict:
    result = []
    for name, (kind, settings) in SCHEDULES.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
        specific = {key: value for key, value in settings.items() if key not in NAMED}
        named = {key: settings[key] for key in NAMED if key in settings}
        scheduler = get_scheduler(kind, optimizer, scheduler_specific_kwargs=specific, **named)
        rates = []
        for _ in range(25):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        assert all(math.isfinite(rate) for rate in rates)
        result.append({"name": name, "kind": kind, "settings": settings, "learning_rates": rates})
    return {"peak_learning_rate": PEAK, "schedules": result}


def main() -> None:
    write_json(FIXTURES / "optim" / "optimizers.json", optimizers(), __file__)
    write_json(FIXTURES / "optim" / "schedules.json", schedules(), __file__)


if __name__ == "__main__":
    main()
