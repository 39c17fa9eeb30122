# SPDX-License-Identifier: Apache-2.0
"""Probabilities that are left after transformers' logits processors, in the order in which `generate` applies them.

    python tests/parity/make_sampling.py      rewrites tests/fixtures/sampling/processors.json

`previous_ids` are all tokens so far (prompt and answer): the repetition penalty looks at them. Row 2 has ties (no nucleus
ends among them: which of two equal logits it would keep is up to the sort).
"""

import torch
from transformers import GenerationConfig, LlamaForCausalLM

import tiny_llama
from fixture_files import FIXTURES, write_json

VOCAB = 24
CASES = [
    dict(), dict(temperature=0.7), dict(temperature=2.5), dict(top_k=1), dict(top_k=5), dict(top_k=100),
    dict(top_p=0.9), dict(top_p=0.35), dict(top_p=0.01), dict(min_p=0.1), dict(min_p=0.6),
    dict(repetition_penalty=1.3), dict(repetition_penalty=0.8),
    dict(temperature=0.7, top_k=10), dict(temperature=1.6, top_p=0.8), dict(temperature=0.6, min_p=0.05),
    dict(temperature=0.8, top_k=12, top_p=0.85, min_p=0.04, repetition_penalty=1.2),
]


def main() -> None:
    generator = torch.Generator().manual_seed(700)
    logits = (2000 * torch.randn(4, VOCAB, generator=generator, dtype=torch.float64)).round() / 1000
    logits[2] = torch.tensor([2.0, 1.0, 1.0, 1.0, 0.0, 0.0, -1.0, -1.0] + [-3.0] * (VOCAB - 8))
    logits[3] += 40.0
    previous = [[3, 3, 7, 20], [0], [1, 5], [int(logits[3].argmax()), int(logits[3].argmin()), 11]]
    model = LlamaForCausalLM(tiny_llama.config(vocab_size=VOCAB))
    cases = []
    for settings in CASES:
        neutral = dict(do_sample=True, temperature=1.0, top_k=0, top_p=1.0)
        generation = GenerationConfig(**{**neutral, **settings})
        kept, names = [], []
        for row, ids in zip(logits, previous, strict=True):
            processors = model._get_logits_processor(
                generation_config=generation, input_ids_seq_length=len(ids), encoder_input_ids=None,
                prefix_allowed_tokens_fn=None, logits_processor=[], device="cpu")
            names = [type(processor).__name__ for processor in processors]
            kept.append(torch.softmax(processors(torch.tensor([ids]), row[None].clone()), -1)[0].tolist())
        cases.append({"settings": settings, "processors": names, "probabilities": kept})
    write_json(FIXTURES / "sampling" / "processors.json", {
        "vocab": VOCAB, "logits": logits.tolist(), "previous_ids": previous, "cases": cases}, __file__)
    for case in cases:
        print(case["settings"], case["processors"], [sum(p > 0 for p in row) for row in case["probabilities"]])


if __name__ == "__main__":
    main()
