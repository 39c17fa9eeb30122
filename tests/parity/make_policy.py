# SPDX-License-Identifier: Apache-2.0
"""Policy-gradient losses, advantages, GAE and whitening in float64.

    python tests/parity/make_policy.py      rewrites tests/fixtures/loss/policy.json

The losses are TRL's own `GRPOTrainer._compute_loss` and `RLOOTrainer._compute_loss`, called on a stand-in trainer whose
model returns given log-probabilities; the standard deviations are TRL's `nanstd`. TRL 1.16 has no PPO any more: its
clipped losses, GAE and `masked_whiten` are written here in torch and numpy after TRL 0.2x.
"""

from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import torch
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.rloo_trainer import RLOOTrainer
from trl.trainer.utils import nanstd

from fixture_files import FIXTURES, write_json

S, L = 4, 6
LENGTHS = [6, 3, 5, 1]


class Accelerator:
    num_processes = 1
    sync_gradients = True

    @staticmethod
    def reduce(x, reduction="sum"):
        return x

    gather = gather_for_metrics = staticmethod(lambda x: x)


def stand_in(logps, entropies, **settings):
    trainer = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *a, **k: (logps, entropies, None), accelerator=Accelerator(),
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, use_vllm=False,
        vllm_importance_sampling_correction=False, current_gradient_accumulation_steps=1, _entropy_bonus_enabled=False,
        use_adaptive_entropy=False, entropy_coef=0.0, beta=0.0, epsilon_low=0.2, epsilon_high=0.2, loss_type="dapo",
        importance_sampling_level="token", max_completion_length=8, model=SimpleNamespace(training=True),
        _metrics={"train": defaultdict(list)})
    args = SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1)
    for name, value in settings.items():
        setattr(args if name == "delta" else trainer, name, value)
    trainer.args = args
    return trainer


def main() -> None:
    torch.set_default_dtype(torch.float64)  # nanstd takes its correction in the default type
    generator = torch.Generator().manual_seed(11)
    normal = lambda *shape, scale=1.0: (scale * 1000 * torch.randn(*shape, generator=generator, dtype=torch.float64)).round() / 1000
    old = -normal(S, L).abs() - 0.1
    logps = old + normal(S, L, scale=0.3)
    ref = old + normal(S, L, scale=0.4)
    entropies = normal(S, L).abs()
    mask = torch.tensor([[int(t < n) for t in range(L)] for n in LENGTHS])
    advantages = torch.tensor([1.3, -0.7, 0.4, -1.1], dtype=torch.float64)
    pick = lambda x: [x[s, t].item() for s in range(S) for t in range(LENGTHS[s])]

    settings = [
        dict(loss_type="grpo"), dict(loss_type="bnpo"), dict(loss_type="dapo"), dict(loss_type="dr_grpo"),
        dict(loss_type="dapo", epsilon_high=0.28), dict(loss_type="grpo", beta=0.04), dict(loss_type="dapo", delta=1.5),
        dict(loss_type="grpo", importance_sampling_level="sequence", epsilon_low=0.03, epsilon_high=0.04, beta=0.1),
        dict(loss_type="dapo", entropy_coef=0.01, _entropy_bonus_enabled=True), dict(loss_type="cispo", epsilon_high=1.2),
        dict(loss_type="grpo", masked=[1], beta=0.04), dict(loss_type="dapo", masked=[1, 3]), dict(loss_type="dr_grpo", masked=[0])]
    cases = []
    for case in settings:
        free, free_entropy = logps.clone().requires_grad_(), entropies.clone().requires_grad_()
        masked = case.pop("masked", [])
        used = mask.clone()
        used[masked] = 0
        trainer = stand_in(free, free_entropy, **case)
        loss = GRPOTrainer._compute_loss(trainer, None, {
            "prompt_ids": torch.zeros(S, 1, dtype=torch.long), "prompt_mask": torch.ones(S, 1, dtype=torch.long),
            "completion_ids": torch.zeros(S, L, dtype=torch.long), "completion_mask": used, "advantages": advantages,
            "old_per_token_logps": old, "ref_per_token_logps": ref, "num_items_in_batch": used.sum()})
        loss.backward()
        entropy_gradient = torch.zeros_like(entropies) if free_entropy.grad is None else free_entropy.grad
        metrics = {name: values[0] for name, values in trainer._metrics["train"].items()
                   if name in ("kl", "entropy", "clip_ratio/low_mean", "clip_ratio/high_mean")}
        cases.append({**case, "masked": masked, "loss": loss.item(), "gradient": pick(free.grad),
                      "entropy_gradient": pick(entropy_gradient), "metrics": metrics})
    free = logps.clone().requires_grad_()
    loss = RLOOTrainer._compute_loss(stand_in(free, entropies, epsilon_low=0.2, epsilon_high=0.2), None, {
        "prompt_ids": torch.zeros(S, 1, dtype=torch.long), "prompt_mask": torch.ones(S, 1, dtype=torch.long),
        "completion_ids": torch.zeros(S, L, dtype=torch.long), "completion_mask": mask, "advantages": advantages,
        "old_logps": (old * mask).sum(1)})
    loss.backward()
    rloo = {"loss": loss.item(), "gradient": pick(free.grad)}

    rewards = normal(12)
    groups = rewards.view(-1, 4)
    centred = (groups - groups.mean(1, keepdim=True)).view(-1)
    leave_one_out = (groups - (groups.sum(1, keepdim=True) - groups) / 3).view(-1)
    advantage_cases = {
        "rewards": rewards.tolist(), "samples": 4,
        "group": (centred / (nanstd(groups, dim=1).repeat_interleave(4) + 1e-4)).tolist(),
        "batch": (centred / (nanstd(rewards) + 1e-4)).tolist(), "none": centred.tolist(), "rloo": leave_one_out.tolist(),
        "rloo_normalized": ((leave_one_out - leave_one_out.mean()) / (nanstd(leave_one_out) + 1e-4)).tolist()}

    # GAE forward over numpy arrays as its definition reads: Σ_l (γλ)^l δ_{t+l}.
    gamma, lam = 0.97, 0.9
    token_rewards, values = normal(S, L).numpy(), normal(S, L).numpy()
    gae, returns = np.zeros((S, L)), np.zeros((S, L))
    for s, n in enumerate(LENGTHS):
        delta = [token_rewards[s, t] + (gamma * values[s, t + 1] if t + 1 < n else 0) - values[s, t] for t in range(n)]
        for t in range(n):
            gae[s, t] = sum((gamma * lam) ** (i - t) * delta[i] for i in range(t, n))
            returns[s, t] = gae[s, t] + values[s, t]
    packed = np.array(pick(torch.tensor(gae)))
    some = np.array([float(i % 3 != 0) for i in range(len(packed))])
    kept = packed[some == 1]
    whitened = {"all": ((packed - packed.mean()) / np.sqrt(packed.var(ddof=1) + 1e-8)).tolist(),
                "keep_mean": ((packed - packed.mean()) / np.sqrt(packed.var(ddof=1) + 1e-8) + packed.mean()).tolist(),
                "mask": some.tolist(), "masked": (some * (packed - kept.mean()) / np.sqrt(kept.var(ddof=1) + 1e-8)).tolist()}

    # PPO's two losses on one mini-batch.
    free, prediction = logps.clone().requires_grad_(), (torch.tensor(values) + normal(S, L, scale=0.3)).requires_grad_()
    start = prediction.detach().clone()
    on = mask.bool()
    ratio, a = torch.exp(free - old), torch.tensor(gae)
    policy = torch.max(-a * ratio, -a * ratio.clamp(0.8, 1.2))[on].mean()
    v, r = torch.tensor(values), torch.tensor(returns)
    bounded = torch.clamp(prediction, v - 0.2, v + 0.2)
    critic = 0.1 * 0.5 * torch.max((prediction - r) ** 2, (bounded - r) ** 2)[on].mean()
    (policy + critic).backward()
    ppo = {"policy_loss": policy.item(), "policy_gradient": pick(free.grad), "predictions": pick(start), "old_values": pick(v),
           "value_loss": critic.item(), "value_gradient": pick(prediction.grad)}

    d = logps - ref
    write_json(FIXTURES / "loss" / "policy.json", {
        "lengths": LENGTHS, "max_completion_length": 8, "old_logprobs": pick(old), "logprobs": pick(logps), "ref_logprobs": pick(ref),
        "entropies": pick(entropies), "advantages": advantages.tolist(), "cases": cases, "rloo": rloo, "advantage_cases": advantage_cases,
        "gae": {"gamma": gamma, "lambda": lam, "rewards": pick(torch.tensor(token_rewards)), "values": pick(torch.tensor(values)),
                "advantages": pick(torch.tensor(gae)), "returns": pick(torch.tensor(returns))},
        "whitened": whitened, "ppo": ppo,
        "kl": {"k1": pick(d), "k2": pick(d * d / 2), "k3": pick(torch.exp(-d) - 1 + d)}}, __file__)


if __name__ == "__main__":
    main()
