# SPDX-License-Identifier: Apache-2.0
"""An iteration of online DPO by TRL's own training step, in float64: loss, gradients in the log-probabilities and all metrics.

    python tests/parity/make_online_dpo.py      rewrites tests/fixtures/loss/online_dpo.json

`OnlineDPOTrainer.training_step` runs on a stand-in for the trainer that draws given completions, scores them as given and knows the
log-probabilities of policy and reference. No model is made.
"""

import collections
import types

import torch
from trl.experimental.online_dpo.online_dpo_trainer import OnlineDPOTrainer

from fixture_files import FIXTURES, write_json
from float64 import float64

EOS, PROMPTS = 2, 4
LENGTHS = [3, 5, 1, 4, 6, 2, 4, 4]  # the first answers of all prompts, then the second ones
FINISHED = [True, False, True, True, False, True, True, False]
REWARDS = [0.5, 2.0, -1.0, 0.25, 1.0, 0.75, -0.5, 1.0]


def step(logprobs, reference, mask, beta, loss_type, penalty):
    ids = torch.full(mask.shape, 7)
    for row, (length, finished) in enumerate(zip(LENGTHS, FINISHED, strict=True)):
        if finished:
            ids[row, length - 1] = EOS
    free = logprobs.clone().requires_grad_()
    policy = types.SimpleNamespace(train=lambda: None)
    trainer = types.SimpleNamespace(
        ref_model="reference", reward_funcs=[None], beta=beta, eos_token_ids=[EOS], stats=collections.defaultdict(list),
        args=types.SimpleNamespace(use_vllm=False, missing_eos_penalty=penalty, loss_type=loss_type, torch_empty_cache_steps=None,
                                   optim="adamw_torch", n_gpu=1, gradient_accumulation_steps=1),
        accelerator=types.SimpleNamespace(gather_for_metrics=lambda x: x, backward=lambda loss: loss.backward()),
        processing_class=types.SimpleNamespace(batch_decode=lambda ids, **_: [""] * len(ids)),
        _generate=lambda *_: (None, None, ids, mask, None),
        _forward=lambda model, *_: free if model is policy else reference,
        _calculate_rewards_from_functions=lambda **_: torch.tensor(REWARDS, dtype=torch.float64))
    loss = OnlineDPOTrainer.training_step(trainer, policy, {"prompt": [""] * PROMPTS})
    return {"loss": loss.item(), "gradient": [row[:n] for row, n in zip(free.grad.tolist(), LENGTHS, strict=True)],
            "metrics": {name: values[-1] for name, values in trainer.stats.items()}}


def main() -> None:
    generator = torch.Generator().manual_seed(62)
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    drawn = lambda scale: (1000 * scale * torch.randn(mask.shape, generator=generator, dtype=torch.float64)).round() / 1000  # noqa: E731
    logprobs = -drawn(1.5).abs() * mask
    reference = logprobs + drawn(0.6) * mask
    with float64():
        cases = [{"loss_type": loss_type, "beta": beta, "missing_eos_penalty": penalty,
                  "expected": step(logprobs, reference, mask.long(), beta, loss_type, penalty)}
                 for loss_type in ("sigmoid", "ipo") for beta, penalty in ((0.1, None), (0.7, 1.6))]
    of_answers = lambda table: [row[:n] for row, n in zip(table.tolist(), LENGTHS, strict=True)]  # noqa: E731
    write_json(FIXTURES / "loss" / "online_dpo.json", {
        "finished": FINISHED, "rewards": REWARDS, "logprobs": of_answers(logprobs), "reference": of_answers(reference),
        "cases": cases}, __file__)


if __name__ == "__main__":
    main()
