# SPDX-License-Identifier: Apache-2.0
"""PEFT's LoRA, or all weights with --full, on dense batches of ids: forward, backward, clip, AdamW."""

import json

import torch

from measure import Steps, arguments, load, lora_config, print_result


def main():
    args = arguments("bf16", "compile", "checkpointing", "full")
    torch.set_num_threads(args.threads)
    torch.manual_seed(7)
    model = load(args.model, torch.bfloat16 if args.bf16 else torch.float32)
    if args.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    if not args.full:
        from peft import get_peft_model

        model = get_peft_model(model, lora_config(), autocast_adapter_dtype=not args.bf16)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0)
    run = torch.compile(model) if args.compile else model

    rows = torch.tensor(json.loads(args.data.read_text()))
    steps = Steps(args.warmup)
    for step in range(args.warmup + args.steps):
        at = [(step * args.batch + i) % len(rows) for i in range(args.batch)]
        ids = rows[at]
        steps.begin()
        loss = run(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        value = loss.item()
        steps.end(ids.numel(), args.batch)
    print_result(steps, args.threads, value, ["torch", "transformers", "peft"])


main()
