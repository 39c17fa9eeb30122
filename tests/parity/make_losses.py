# SPDX-License-Identifier: Apache-2.0
"""Cross entropy with label smoothing and z-loss: values and gradients with respect to the logits, in float64.

    python tests/parity/make_losses.py      rewrites tests/fixtures/loss/cross_entropy.json

`torch` is torch.nn.functional.cross_entropy(label_smoothing), `hf` is transformers' LabelSmoother; both are means over
the supervised rows. The z-loss adds z times the mean of logsumexp^2 over the same rows (PaLM, arXiv 2204.02311, 5).
"""

import torch
from transformers.trainer_pt_utils import LabelSmoother

from fixture_files import FIXTURES, write_json
from float64 import float64

ROWS, VOCAB = 8, 11


def z_loss(logits, targets):
    return torch.logsumexp(logits, -1)[targets != -100].square().mean()


def main() -> None:
    generator = torch.Generator().manual_seed(600)
    logits = (3000 * torch.randn(ROWS, VOCAB, generator=generator, dtype=torch.float64)).round() / 1000
    targets = torch.randint(0, VOCAB, (ROWS,), generator=generator)
    targets[2] = targets[6] = -100
    logits[4] *= 300  # exp overflows float32 and, added up naively, float64
    logits[5] = 0.0
    cases = []
    for source in ("torch", "hf"):
        for smoothing in (0.0, 0.1, 0.35):
            for z in (0.0, 1e-2):
                free = logits.clone().requires_grad_()
                with float64():
                    if source == "torch":
                        loss = torch.nn.functional.cross_entropy(free, targets, ignore_index=-100, label_smoothing=smoothing)
                    else:
                        loss = LabelSmoother(epsilon=smoothing)({"logits": free}, targets)
                    loss = loss + z * z_loss(free, targets)
                    loss.backward()
                cases.append({"source": source, "label_smoothing": smoothing, "z_loss": z, "loss": loss.item(),
                              "gradient": free.grad.tolist()})
    for ours, theirs in zip(cases[:6], cases[6:], strict=True):
        assert abs(ours["loss"] - theirs["loss"]) < 1e-12 * abs(ours["loss"]), (ours["loss"], theirs["loss"])
    logprobs = torch.log_softmax(logits, -1)
    statistics = {
        "target_logprob": torch.where(targets == -100, 0.0, logprobs.gather(1, targets.clamp(min=0)[:, None])[:, 0]),
        "logsumexp": torch.logsumexp(logits, -1), "mean_logit": logits.mean(-1),
        "entropy": torch.special.entr(logprobs.exp()).sum(-1), "log_sum_sq_probs": torch.logsumexp(2 * logprobs, -1),
    }
    write_json(FIXTURES / "loss" / "cross_entropy.json", {
        "rows": ROWS, "vocab": VOCAB, "supervised_rows": int((targets != -100).sum()), "logits": logits.tolist(),
        "targets": targets.tolist(), "token_stats": {name: values.tolist() for name, values in statistics.items()},
        "cases": cases}, __file__)


if __name__ == "__main__":
    main()
