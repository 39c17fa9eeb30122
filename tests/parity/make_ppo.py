# SPDX-License-Identifier: Apache-2.0
"""One PPO iteration written in torch: a given rollout, GAE, and three passes of clipped policy and value losses with AdamW.

    python tests/parity/make_ppo.py      rewrites tests/fixtures/loss/ppo_iteration.json

The policy is the tiny Llama of fixtures/llama_tiny in float64, every weight trained, with a value head on its hidden
states. Conventions as in TRL's PPO (to 0.2x): log-probabilities at the sampling temperature, KL (k1) in the reward, whitened
advantages, losses as means over tokens; the score is on the last token. The entropy bonus is mean entropy times 0.01.
"""

import torch
from transformers import LlamaForCausalLM

from fixture_files import FIXTURES, write_json
from float64 import float64
from tiny_llama import in_float64

PROMPTS, COMPLETIONS = [4, 2, 6], [5, 7, 3]
TEMPERATURE, KL, GAMMA, LAMBDA, CLIP, VALUE_CLIP, VALUE_COEF, ENTROPY_COEF, RATE, PASSES = 0.7, 0.05, 0.97, 0.9, 0.2, 0.2, 0.1, 0.01, 1e-3, 3


def main() -> None:
    torch.set_default_dtype(torch.float64)
    generator = torch.Generator().manual_seed(77)
    with float64():
        model = in_float64(LlamaForCausalLM.from_pretrained(FIXTURES / "llama_tiny", dtype=torch.float32, attn_implementation="eager"))
    score = (0.3 * torch.randn(model.config.hidden_size, generator=generator)).requires_grad_()
    start = score.detach().tolist()
    ids = [torch.randint(3, 96, (p + c,), generator=generator) for p, c in zip(PROMPTS, COMPLETIONS, strict=True)]

    def run():
        logps, entropies, values = [], [], []
        for sequence, p in zip(ids, PROMPTS, strict=True):
            with float64():
                out = model(sequence[None], output_hidden_states=True)
            rows = slice(p - 1, len(sequence) - 1)
            all_logps = torch.log_softmax(out.logits[0, rows] / TEMPERATURE, -1)
            logps.append(all_logps.gather(1, sequence[p:, None])[:, 0])
            entropies.append(-(all_logps.exp() * all_logps).sum(-1))
            values.append(out.hidden_states[-1][0, rows] @ score)
        return torch.cat(logps), torch.cat(entropies), torch.cat(values)

    with torch.no_grad():
        old, _, old_values = run()
    ref = old + 0.3 * torch.randn(old.shape, generator=generator)
    scores = torch.tensor([1.0, -0.5, 2.0])
    rewards = -KL * (old - ref)
    advantages, begin = torch.zeros_like(old), 0
    for s, n in enumerate(COMPLETIONS):
        rewards[begin + n - 1] += scores[s]
        running, following = 0.0, 0.0
        for t in reversed(range(begin, begin + n)):
            running = rewards[t] + GAMMA * following - old_values[t] + GAMMA * LAMBDA * running
            advantages[t], following = running, old_values[t]
        begin += n
    returns = advantages + old_values
    advantages = (advantages - advantages.mean()) * torch.rsqrt(advantages.var() + 1e-8)

    parameters = [*model.parameters(), score]
    optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.0)
    losses = []
    for _ in range(PASSES):
        logps, entropies, values = run()
        ratio = torch.exp(logps - old)
        policy = torch.max(-advantages * ratio, -advantages * ratio.clamp(1 - CLIP, 1 + CLIP)).mean() - ENTROPY_COEF * entropies.mean()
        bounded = torch.clamp(values, old_values - VALUE_CLIP, old_values + VALUE_CLIP)
        critic = VALUE_COEF * 0.5 * torch.max((values - returns) ** 2, (bounded - returns) ** 2).mean()
        optimizer.zero_grad()
        (policy + critic).backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append({"policy": policy.item(), "value": critic.item(), "grad_norm": norm.item(),
                       "clipfrac": (((ratio - 1).abs() > CLIP) & (-advantages * ratio.clamp(1 - CLIP, 1 + CLIP) > -advantages * ratio)).double().mean().item()})
    with torch.no_grad():
        after, _, after_values = run()
    write_json(FIXTURES / "loss" / "ppo_iteration.json", {
        "prompts": PROMPTS, "completions": COMPLETIONS, "ids": [x.tolist() for x in ids], "score_weight": start, "scores": scores.tolist(),
        "ref_logprobs": ref.tolist(), "logprobs": old.tolist(), "values": old_values.tolist(), "advantages": advantages.tolist(),
        "returns": returns.tolist(), "passes": losses, "logprobs_after": after.tolist(), "values_after": after_values.tolist()}, __file__)


if __name__ == "__main__":
    main()
