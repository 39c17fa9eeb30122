# SPDX-License-Identifier: Apache-2.0
"""The losses on preferences by TRL's own functions, in float64: values, metrics and gradients in the log-probabilities.

    python tests/parity/make_preference_losses.py      rewrites tests/fixtures/loss/preference.json

`DPOTrainer._compute_loss` and `KTOTrainer._compute_loss` run on a stand-in for the model that returns given
log-probabilities; CPO and ORPO are TRL's `cpo_loss` and `odds_ratio_loss`. No model is made. BCO, whose trainer TRL 1.16 no longer has,
is its formula in torch.
"""

import types

import torch
from trl.experimental.cpo import cpo_trainer
from trl.experimental.orpo import orpo_trainer
from trl.trainer import dpo_trainer, kto_trainer

from fixture_files import FIXTURES, write_json
from float64 import float64

PROMPT, LENGTHS = 2, [(3, 5), (1, 4), (6, 2), (4, 4)]  # predictions of chosen and rejected
METRICS = ("rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected",
           "logits/chosen", "logits/rejected", "entropy", "kl")


class Accelerator:
    device = "cpu"
    gather = gather_for_metrics = staticmethod(lambda x: x)


class Model:
    """Returns what it was told, first for the policy, then for the reference."""

    training = True

    def __init__(self, *log_probs, **others):
        self.answers = [types.SimpleNamespace(log_probs=lp, **others) for lp in log_probs]

    def __call__(self, **_):
        return self.answers.pop(0)


def rounded(generator, *shape, scale):
    return (1000 * scale * torch.randn(*shape, generator=generator, dtype=torch.float64)).round() / 1000


def batch(generator):
    lengths = [a for a, _ in LENGTHS] + [b for _, b in LENGTHS]
    width = PROMPT + max(lengths)
    mask = torch.zeros(len(lengths), width, dtype=torch.long)
    for row, length in enumerate(lengths):
        mask[row, PROMPT:PROMPT + length] = 1
    shifted = mask[:, 1:]
    policy = -rounded(generator, len(lengths), width - 1, scale=1.5).abs() * shifted
    reference = policy + rounded(generator, len(lengths), width - 1, scale=0.6) * shifted
    reference = torch.where(reference > 0, -reference, reference)
    mean_logits = rounded(generator, len(lengths), width - 1, scale=1) * shifted
    entropy = rounded(generator, len(lengths), width - 1, scale=1).abs() * shifted
    log_sum_sq_probs = -rounded(generator, len(lengths), width - 1, scale=1.5).abs() * shifted
    return mask, policy, reference, mean_logits, entropy, log_sum_sq_probs


def stand_in(**options):
    return types.SimpleNamespace(**{
        "model": types.SimpleNamespace(training=True), "accelerator": Accelerator, "aux_loss_enabled": False,
        "ld_alpha": None, "precompute_ref_logps": False, "ref_model": None, "f_divergence_type": "reverse_kl",
        "f_alpha_divergence_coef": 0.5, "loss_weights": [1.0], "beta": 0.1, "label_smoothing": 0.0,
        "use_weighting": False, "args": types.SimpleNamespace(discopop_tau=0.05, gradient_checkpointing_kwargs=None),
        "_metrics": {"train": {name: [] for name in (*METRICS, "num_tokens", "mean_token_accuracy")}},
        "_total_train_tokens": 0, "_tp_size": 1, **options})


class NotInPlace(torch.overrides.TorchFunctionMode):
    """`a *= b` as `a = a * b`: TRL multiplies a pair's loss by its weight in place, over which autograd of hinge stops."""

    def __torch_function__(self, function, _, args=(), kwargs=None):
        if function is torch.Tensor.mul_:
            return args[0] * args[1]
        return function(*args, **(kwargs or {}))


class NoContext:
    def __init__(self, *_, **__):
        pass

    __enter__ = __exit__ = lambda *_: None


def dpo(data, **options):
    mask, policy, reference, mean_logits, entropy, log_sum_sq_probs = data
    free = policy.clone().requires_grad_()
    others = {"mean_logits": mean_logits, "entropy": entropy, "is_top1": mask[:, 1:].bool(), "log_sum_sq_probs": log_sum_sq_probs}
    trainer = stand_in(**options)
    trainer.ref_model = Model(reference, **others)
    trainer.args.discopop_tau = options.get("discopop_tau", 0.05)
    inputs = {"input_ids": torch.zeros_like(mask), "attention_mask": torch.ones_like(mask), "completion_mask": mask}
    with NotInPlace():
        loss = dpo_trainer.DPOTrainer._compute_loss(trainer, Model(free, **others), inputs, False)
    loss.backward()
    metrics = {k: float(v[-1]) for k, v in trainer._metrics["train"].items() if v and k in METRICS}
    return {"loss": loss.item(), "gradient": (free.grad * mask[:, 1:]).tolist(), "metrics": metrics}


def kto(data, labels, kl, loss_type, beta, desirable, undesirable):
    mask, policy, reference, mean_logits, entropy, _ = data
    free = policy.clone().requires_grad_()
    others = {"mean_logits": mean_logits, "entropy": entropy}
    trainer = stand_in(beta=beta, loss_type=loss_type, calculate_KL=loss_type == "kto", desirable_weight=desirable,
                       undesirable_weight=undesirable)
    trainer.ref_model = Model(reference, **others)
    trainer._compute_kl_logps = lambda model, _: torch.full((len(labels),), 0.0 if model is trainer.ref_model else kl)
    inputs = {"input_ids": torch.zeros_like(mask), "attention_mask": torch.ones_like(mask), "completion_mask": mask,
              "label": torch.tensor(labels)}
    loss = kto_trainer.KTOTrainer._compute_loss(trainer, Model(free, **others), inputs, False)
    loss.backward()
    metrics = {k: float(v[-1]) for k, v in trainer._metrics["train"].items() if v and k in METRICS}
    return {"loss": loss.item(), "gradient": (free.grad * mask[:, 1:]).tolist(), "metrics": metrics}


def bco(data, labels, beta, past_reward, past_answers):
    """-log σ(r - δ) and -log σ(-(r - δ)), δ the mean of all rewards so far: Jung et al. 2024 with TRL 1.10's running mean."""
    mask, policy, reference, *_ = data
    free = policy.clone().requires_grad_()
    rewards = beta * (free.sum(1) - reference.sum(1))
    delta = (past_reward + rewards.detach().sum()) / (past_answers + len(labels))
    sides = torch.tensor([1.0 if label else -1.0 for label in labels], dtype=torch.float64)
    loss = -torch.nn.functional.logsigmoid(sides * (rewards - delta)).mean()
    loss.backward()
    return {"loss": loss.item(), "gradient": (free.grad * mask[:, 1:]).tolist(), "metrics": {"delta": float(delta)}}


def free_of_reference(data, name, beta, **options):
    """CPO, SimPO and ORPO. The NLL is that of TRL's CPO: the mean a token of the chosen completions."""
    mask, policy, *_ = data
    free = policy.clone().requires_grad_()
    shifted = mask[:, 1:]
    sums, half = free.sum(1), len(LENGTHS)
    if name != "cpo":
        sums = sums / shifted.sum(1)
    nll = -free[:half][shifted[:half].bool()].mean()
    trainer = types.SimpleNamespace(accelerator=Accelerator, beta=beta, alpha=0.0, **options)
    if name == "orpo":
        losses = -orpo_trainer.ORPOTrainer.odds_ratio_loss(trainer, sums[:half], sums[half:])[0]
        loss = nll + losses.mean()
    else:
        trainer.loss_type = "simpo" if name == "simpo" else "sigmoid"
        losses = cpo_trainer.CPOTrainer.cpo_loss(trainer, sums[:half], sums[half:])[0]
        loss = losses.mean() + options.get("cpo_alpha", 0.0) * nll
    loss.backward()
    return {"loss": loss.item(), "gradient": (free.grad * shifted).tolist(), "metrics": {}}


def main() -> None:
    generator = torch.Generator().manual_seed(61)
    data = batch(generator)
    for module in (dpo_trainer, kto_trainer):
        module.is_peft_model = lambda _: False
        module.disable_gradient_checkpointing = NoContext
    cases = []
    with float64(dpo_trainer, kto_trainer, cpo_trainer, orpo_trainer):
        def add(name, beta, label_smoothing=0.0, f_divergence_type="reverse_kl", f_alpha=0.5, ld_alpha=None, tau=0.05,
                use_weighting=False):
            got = dpo(data, loss_types=[name], beta=beta, label_smoothing=label_smoothing,
                      f_divergence_type=f_divergence_type, f_alpha_divergence_coef=f_alpha, ld_alpha=ld_alpha, discopop_tau=tau,
                      use_weighting=use_weighting)
            cases.append({"loss": name, "beta": beta, "label_smoothing": label_smoothing, "divergence": f_divergence_type,
                          "alpha": f_alpha, "ld_alpha": ld_alpha or 1.0, "tau": tau, "use_weighting": use_weighting, "expected": got})

        for name in ("sigmoid", "hinge", "ipo", "nca_pair", "bco_pair", "sppo_hard", "apo_zero", "apo_down", "discopop",
                     "sft", "sigmoid_norm", "aot", "aot_unpaired"):
            add(name, 0.1)
            add(name, 0.7, ld_alpha=0.4)
        for name in ("exo_pair", "robust", "aot", "aot_unpaired"):
            add(name, 0.3, label_smoothing=0.2)
        for name in ("sigmoid", "ipo", "exo_pair"):
            for divergence in ("forward_kl", "js_divergence", "alpha_divergence"):
                add(name, 0.2, label_smoothing=0.01 if name == "exo_pair" else 0.0, f_divergence_type=divergence, f_alpha=0.3)
        add("discopop", 0.5, tau=0.3)
        for names, weights, use_weighting in (("sigmoid,bco_pair,sft", [0.8, 0.2, 1.0], False), ("sigmoid,bco_pair", [0.8, 0.2], True)):
            mixed = dpo(data, loss_types=names.split(","), loss_weights=weights, beta=0.1, use_weighting=use_weighting)
            cases.append({"loss": names, "beta": 0.1, "weights": weights, "use_weighting": use_weighting, "expected": mixed})
        # TRL refuses weights for the two aot losses; with sft, one number for all pairs, its multiplication in place stops.
        for name in ("sigmoid", "hinge", "ipo", "nca_pair", "bco_pair", "sppo_hard", "apo_zero", "apo_down", "discopop",
                     "sigmoid_norm", "exo_pair", "robust"):
            add(name, 0.2, label_smoothing=0.1 if name in ("exo_pair", "robust") else 0.0, use_weighting=True)
        add("sigmoid", 0.2, f_divergence_type="js_divergence", ld_alpha=0.4, use_weighting=True)
        for beta in (0.1, 2.0):
            for smoothing in (0.0, 0.1):
                cases.append({"loss": "cpo", "beta": beta, "label_smoothing": smoothing, "nll_weight": 0.5, "expected":
                              free_of_reference(data, "cpo", beta, label_smoothing=smoothing, cpo_alpha=0.5)})
                cases.append({"loss": "simpo", "beta": beta, "label_smoothing": smoothing, "gamma": 0.7, "expected":
                              free_of_reference(data, "simpo", beta, label_smoothing=smoothing, simpo_gamma=0.7)})
            cases.append({"loss": "orpo", "beta": beta, "expected": free_of_reference(data, "orpo", beta)})
        labels = [True, True, False, True, False, False, True, False]
        for loss_type in ("kto", "apo_zero_unpaired"):
            for kl in (0.8, -0.5):
                cases.append({"loss": loss_type, "beta": 0.3, "kl": kl, "labels": labels, "desirable_weight": 1.3,
                              "undesirable_weight": 0.7, "expected": kto(data, labels, kl, loss_type, 0.3, 1.3, 0.7)})
    for past_reward, past_answers in ((0.0, 0), (-3.5, 20)):
        cases.append({"loss": "bco", "beta": 0.3, "labels": labels, "past_reward": past_reward, "past_answers": past_answers,
                      "expected": bco(data, labels, 0.3, past_reward, past_answers)})
    mask, policy, reference, mean_logits, entropy, log_sum_sq_probs = data
    write_json(FIXTURES / "loss" / "preference.json", {
        "prompt": PROMPT, "lengths": LENGTHS, "policy": policy.tolist(), "reference": reference.tolist(),
        "mean_logit": mean_logits.tolist(), "entropy": entropy.tolist(),
        "log_sum_sq_probs": log_sum_sq_probs.tolist(), "cases": cases}, __file__)


if __name__ == "__main__":
    main()
